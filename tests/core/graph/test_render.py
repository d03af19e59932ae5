"""Graphs and diffs as text: what is drawn, and that what is drawn can be read back."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from rich.console import Console, RenderableType

from metaxy_core import FeatureDep, FeatureGraph, FeatureSpec, FieldSpec
from metaxy_core.definition import FeatureDefinition
from metaxy_core.graph.diff import diff_graphs
from metaxy_core.graph.render.content import picture_of_diff, picture_of_graph
from metaxy_core.graph.render.dot import to_dot
from metaxy_core.graph.render.json import diff_to_json, graph_to_json
from metaxy_core.graph.render.mermaid import node_ids, to_mermaid
from metaxy_core.graph.render.terminal import diff_to_tree, graph_to_tree


def graph_of(*specs: dict[str, Any]) -> FeatureGraph:
    found = [FeatureSpec(**spec) for spec in specs]
    return FeatureGraph(FeatureDefinition(spec=s, description=s.description) for s in found)


def mermaid_diff(old: FeatureGraph, new: FeatureGraph) -> str:
    return to_mermaid(picture_of_diff(diff_graphs(old, new)))


def dot_diff(old: FeatureGraph, new: FeatureGraph) -> str:
    return to_dot(picture_of_diff(diff_graphs(old, new)))


def printed(result: RenderableType, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=100, **options)
    console.print(result)
    return console.file.getvalue()


def line_with(text: str, beginning: str) -> str:
    (found,) = [line.strip() for line in text.splitlines() if line.strip().startswith(beginning)]
    return found


VIDEO = {"key": "video", "id_columns": ["id"], "fields": ["audio"]}
INIT = (
    "{init: {'flowchart': {'htmlLabels': true, 'curve': 'basis'}, "
    "'themeVariables': {'fontSize': '14px'}}}"
)
HARD_FILTER = "title <> '\"<b>#1; & more</b>' and n > 1"


# ------------------------------------------------------------------ Mermaid


def test_mermaid_draws_the_readme_graph(readme_graph):
    graph = readme_graph(1)

    def node(key: str, *fields: str) -> str:
        versions = graph.versions[graph[key].key]
        listed = "".join(
            f"<br/>• {field} <small>(v: {version[:8]})</small>"
            for field, version in zip(fields, versions.fields.values(), strict=True)
        )
        return (
            f"{key.replace('/', '_')}[\"<div style='text-align:left'><b>{key}</b>"
            f'<br/><small>(v: {versions.feature[:8]})</small><br/>---{listed}</div>"]'
        )

    assert to_mermaid(picture_of_graph(graph)).splitlines() == [
        "---",
        "title: Feature Graph",
        "---",
        "flowchart TB",
        f"    %% Snapshot version: {graph.versions.project[:8]}",
        f"    %%{INIT}%%",
        f"    {node('example/video', 'audio', 'frames')}",
        f"    {node('example/crop', 'audio', 'frames')}",
        f"    {node('overview/stt', 'transcription')}",
        f"    {node('example/face_detection', 'detections')}",
        "    example_video --> example_crop",
        "    example_video --> overview_stt",
        "    example_crop --> example_face_detection",
    ]


def test_mermaid_marks_the_changed_field_with_both_versions(readme_graph):
    old, new = readme_graph(1), readme_graph(2)
    drawn = line_with(mermaid_diff(old, new), "example_video[")
    before, after = (graph.versions[graph["example/video"].key].fields for graph in (old, new))
    audio, frames = before
    assert (
        f"~ <font color='#FFA500'>audio</font> <small>(v: "
        f"<font color='#CC0000'>{before[audio][:8]}</font> → "
        f"<font color='#00AA00'>{after[audio][:8]}</font>)</small>"
    ) in drawn
    assert f"• frames <small>(v: {before[frames][:8]})</small>" in drawn


def test_mermaid_outlines_the_changed_features_and_no_other(readme_graph):
    drawn = mermaid_diff(readme_graph(1), readme_graph(2))
    styles = [line.strip() for line in drawn.splitlines() if line.strip().startswith("style")]
    assert styles == [
        "style example_video stroke:#FFA500,stroke-width:3px",
        "style example_crop stroke:#FFA500,stroke-width:3px",
        "style overview_stt stroke:#FFA500,stroke-width:3px",
    ]


def test_mermaid_tells_which_snapshots_a_diff_compares(readme_graph):
    old, new = readme_graph(1), readme_graph(2)
    versions = f"{old.versions.project[:8]} → {new.versions.project[:8]}"
    assert line_with(mermaid_diff(old, new), "%% ") == f"%% Snapshot versions: {versions}"


def test_mermaid_dashes_what_was_removed():
    drawn = mermaid_diff(
        graph_of(VIDEO, {**VIDEO, "key": "crop", "deps": ["video"]}), graph_of(VIDEO)
    )
    assert (
        line_with(drawn, "style") == "style crop stroke:#CC0000,stroke-width:3px,stroke-dasharray:5"
    )
    assert line_with(drawn, "linkStyle") == "linkStyle 0 stroke:#CC0000,stroke-dasharray:5"


def test_mermaid_colors_an_added_feature_green():
    drawn = mermaid_diff(graph_of(), graph_of(VIDEO))
    assert line_with(drawn, "style") == "style video stroke:#00AA00,stroke-width:3px"
    assert "+ <font color='#00AA00'>audio</font>" in drawn


def test_mermaid_dots_optional_deps():
    dep = FeatureDep(feature="video", optional=True)
    drawn = to_mermaid(picture_of_graph(graph_of(VIDEO, {**VIDEO, "key": "crop", "deps": [dep]})))
    assert line_with(drawn, "video -") == "video -.-> crop"


def test_mermaid_ids_differ_where_the_keys_do():
    ids = node_ids(["a/b", "a_b", "A/B", "a-b", "a_b_2"])
    assert len({node.lower() for node in ids.values()}) == 5
    assert ids["a/b"] == "a_b"


@pytest.mark.parametrize("word", ["end", "graph", "style", "subgraph", "End"])
def test_mermaid_ids_are_never_words_of_the_language(word):
    assert node_ids([word]) == {word: f"{word}_2"}


def test_mermaid_ids_hold_only_letters_digits_and_underscores():
    (node,) = node_ids(["example/face-detection"]).values()
    assert re.fullmatch(r"[A-Za-z0-9_]+", node)


def test_mermaid_escapes_filters_in_labels():
    crop = {**VIDEO, "key": "crop", "deps": ["video"]}
    filtered = {**crop, "deps": [FeatureDep(feature="video", filter=HARD_FILTER)]}
    drawn = line_with(mermaid_diff(graph_of(VIDEO, crop), graph_of(VIDEO, filtered)), "crop[")
    _, _, note = drawn.partition("<i>")
    text = note.removesuffix('</i></div>"]')
    assert not re.search(r"""[<>"'&]|#(?!\d+;)""", text)
    read_back = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text)
    assert read_back == f"filter of dep video: none → {HARD_FILTER}"


# ------------------------------------------------------------------ DOT


BREAK = '<br align="left"/>'


def small(version: str) -> str:
    return f'<font point-size="10">{version[:8]}</font>'


def test_dot_draws_features_and_deps():
    graph = graph_of(VIDEO, {**VIDEO, "key": "example/crop", "deps": ["video"]})
    video_shown, crop_shown = (
        f"{small(found.feature)}{BREAK}• audio {small(*found.fields.values())}{BREAK}"
        for found in graph.versions.features.values()
    )
    assert to_dot(picture_of_graph(graph)).splitlines() == [
        'digraph "Feature Graph" {',
        f"    // Snapshot version: {graph.versions.project[:8]}",
        '    graph [rankdir=TB, labelloc=t, label="Feature Graph", fontname="Helvetica"];',
        '    node [shape=box, style=rounded, fontname="Helvetica"];',
        f'    "video" [label=<<b>video</b>{BREAK}{video_shown}>];',
        f'    "example/crop" [label=<<b>example/crop</b>{BREAK}{crop_shown}>];',
        '    "video" -> "example/crop";',
        "}",
    ]


def test_dot_outlines_changed_features(readme_graph):
    drawn = dot_diff(readme_graph(1), readme_graph(2))
    assert line_with(drawn, '"example/video" [').endswith(', color="#FFA500", penwidth=3];')
    assert line_with(drawn, '"example/face_detection" [').endswith('<br align="left"/>>];')


def test_dot_dashes_what_was_removed():
    crop = {**VIDEO, "key": "crop", "deps": ["video"]}
    drawn = dot_diff(graph_of(VIDEO, crop), graph_of(VIDEO))
    assert line_with(drawn, '"crop"').endswith(
        'color="#CC0000", penwidth=3, style="rounded,dashed"];'
    )
    assert line_with(drawn, '"video" ->') == '"video" -> "crop" [color="#CC0000", style=dashed];'


def test_dot_escapes_filters_in_labels():
    crop = {**VIDEO, "key": "crop", "deps": ["video"]}
    filtered = {**crop, "deps": [FeatureDep(feature="video", filter=HARD_FILTER)]}
    drawn = dot_diff(graph_of(VIDEO, crop), graph_of(VIDEO, filtered))
    assert "title &lt;&gt; '\"&lt;b&gt;#1; &amp; more&lt;/b&gt;' and n &gt; 1" in drawn


# ------------------------------------------------------------------ JSON


def test_json_of_a_graph_tells_everything_that_decides_about_versions():
    etag = FieldSpec(key="audio", version_from=["etag"], code_version=3)
    dep = FeatureDep(feature="video", columns=["path"], rename={"path": "p"}, filter="n > 1")
    graph = graph_of(
        {**VIDEO, "fields": [etag], "description": "Clips."},
        {**VIDEO, "key": "crop", "deps": [dep], "cost_per_record": 2, "cost_unit": "GPU s"},
    )
    video, crop = graph.versions.features.values()
    (audio,), (cut,) = video.fields.values(), crop.fields.values()
    assert json.loads(graph_to_json(graph)) == {
        "version": graph.versions.project,
        "features": [
            {
                "key": "video",
                "version": video.feature,
                "code_version": video.code,
                "description": "Clips.",
                "id_columns": ["id"],
                "cost_per_record": None,
                "cost_unit": "",
                "fields": [
                    {
                        "key": "audio",
                        "version": audio,
                        "code_version": "3",
                        "reads": [],
                        "version_from": ["etag"],
                    }
                ],
                "deps": [],
            },
            {
                "key": "crop",
                "version": crop.feature,
                "code_version": crop.code,
                "description": None,
                "id_columns": ["id"],
                "cost_per_record": 2.0,
                "cost_unit": "GPU s",
                "fields": [
                    {
                        "key": "audio",
                        "version": cut,
                        "code_version": "1",
                        "reads": ["video.audio"],
                        "version_from": [],
                    }
                ],
                "deps": [
                    {
                        "feature": "video",
                        "optional": False,
                        "filter": "n > 1",
                        "columns": ["path"],
                        "rename": {"path": "p"},
                    }
                ],
            },
        ],
    }


def test_json_of_a_diff_has_both_versions_and_the_reasons():
    bumped = {**VIDEO, "fields": [FieldSpec(key="audio", code_version=2)]}
    crop = {**VIDEO, "key": "crop", "fields": ["cut"], "deps": ["video"]}
    old, new = graph_of(VIDEO), graph_of(bumped, crop)
    before, after = old.versions[old["video"].key], new.versions[new["video"].key]
    added = new.versions[new["crop"].key]
    (audio_before,), (audio_after,) = before.fields.values(), after.fields.values()
    assert json.loads(diff_to_json(diff_graphs(old, new))) == {
        "old_version": old.versions.project,
        "new_version": new.versions.project,
        "features": [
            {
                "key": "video",
                "change": "changed",
                "old_version": before.feature,
                "new_version": after.feature,
                "wiring": [],
                "fields": [
                    {
                        "key": "audio",
                        "change": "changed",
                        "old_version": audio_before,
                        "new_version": audio_after,
                        "reasons": ["code version 1 → 2"],
                    }
                ],
            },
            {
                "key": "crop",
                "change": "added",
                "old_version": None,
                "new_version": added.feature,
                "wiring": [],
                "fields": [
                    {
                        "key": "cut",
                        "change": "added",
                        "old_version": None,
                        "new_version": next(iter(added.fields.values())),
                        "reasons": [],
                    }
                ],
            },
        ],
        "edges": [
            {"upstream": "video", "downstream": "crop", "optional": False, "change": "added"}
        ],
    }


# ------------------------------------------------------------------ terminal


def test_the_terminal_shows_the_graph_as_a_tree(readme_graph):
    graph = readme_graph(1)
    shown = printed(graph_to_tree(graph))
    for key, found in graph.versions.features.items():
        shown = shown.replace(found.feature[:8], f"<{key}>")
        for name, version in found.fields.items():
            shown = shown.replace(version[:8], f"<{key}.{name}>")
    assert shown.splitlines() == [
        f"Feature graph {graph.versions.project[:8]}",
        "└── example/video <example/video>",
        "    • audio <example/video.audio> code 1",
        "    • frames <example/video.frames> code 1",
        "    ├── example/crop <example/crop>",
        "    │   • audio <example/crop.audio> code 1 ← example/video.audio",
        "    │   • frames <example/crop.frames> code 1 ← example/video.frames",
        "    │   └── example/face_detection <example/face_detection>",
        "    │       • detections <example/face_detection.detections> code 1 ← example/crop.frames",
        "    └── overview/stt <overview/stt>",
        "        • transcription <overview/stt.transcription> code 1 ← example/video.audio",
    ]


def test_the_terminal_shows_a_feature_with_several_deps_once():
    graph = graph_of(
        VIDEO, {**VIDEO, "key": "sound"}, {**VIDEO, "key": "crop", "deps": ["video", "sound"]}
    )
    (line,) = [line for line in printed(graph_to_tree(graph)).splitlines() if "crop" in line]
    assert line.endswith("(also from sound)")


def test_the_terminal_shows_what_a_bump_of_audio_moves(readme_graph):
    shown = printed(diff_to_tree(diff_graphs(readme_graph(1), readme_graph(2))))
    without_versions = re.sub(r"\b[0-9a-f]{8}\b", "V", shown)
    assert without_versions.splitlines() == [
        "Feature graph V → V: 3 changed, 1 unchanged",
        "├── ~ example/video V → V",
        "│   ├── ~ audio V → V  code version 1 → 2",
        "│   └── • frames V",
        "├── ~ example/crop V → V",
        "│   ├── ~ audio V → V  example/video.audio changed",
        "│   └── • frames V",
        "├── ~ overview/stt V → V",
        "│   └── ~ transcription V → V  example/video.audio changed",
        "└── • example/face_detection V",
    ]


def test_the_terminal_shows_wiring_as_it_is_written():
    crop = {**VIDEO, "key": "crop", "deps": ["video"]}
    filtered = {**crop, "deps": [FeatureDep(feature="video", filter="tag = '[red]'")]}
    shown = printed(diff_to_tree(diff_graphs(graph_of(VIDEO, crop), graph_of(VIDEO, filtered))))
    assert "filter of dep video: none → tag = '[red]'" in shown


def test_there_are_no_color_codes_outside_a_terminal(readme_graph):
    tree = diff_to_tree(diff_graphs(readme_graph(1), readme_graph(2)))
    assert "\x1b" not in printed(tree)
    assert "\x1b" in printed(tree, force_terminal=True, no_color=False, color_system="standard")


@pytest.mark.parametrize(
    "text",
    [
        to_mermaid(picture_of_graph(graph_of())),
        to_dot(picture_of_graph(graph_of())),
        graph_to_json(graph_of()),
        printed(graph_to_tree(graph_of())),
        printed(diff_to_tree(diff_graphs(graph_of(), graph_of()))),
    ],
)
def test_an_empty_graph_is_drawn_too(text):
    assert text.strip()
