"""`store.explain`: why a record is what it is, with the commits that made it so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import metaxy_core as mx
from metaxy_core.errors import InvalidId, InvalidSamples, UnknownFeature

if TYPE_CHECKING:
    from tests.conftest import Project

FeatureClass = type[mx.Feature]


class Chain:
    """Video (audio, frames) -> text (reads audio) -> summary."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.store = project.store
        self.release()

    def release(
        self, *, audio: int = 1, text: int = 1, reads: tuple[str, ...] = ("audio",)
    ) -> None:
        self.video = self.project.feature("video", fields={"audio": audio, "frames": 1})
        dep = mx.FieldDep(feature=self.video, fields=list(reads))
        fields = [mx.FieldSpec(key="text", code_version=text, deps=[dep])]
        self.text = self.project.feature("text", deps=[self.video], fields=fields)
        self.summary = self.project.feature("summary", deps=[self.text], fields=["out"])

    def samples(self, audio: str, frames: str = "f") -> pl.DataFrame:
        return self.project.samples(v1={"audio": audio, "frames": frames})

    def film(self, audio: str, frames: str = "f", run: str | None = None) -> mx.Commit | None:
        increment = self.store.resolve_update(self.video, self.samples(audio, frames))
        changed = pl.concat([increment.new, increment.stale.drop("metaxy_changed_fields")])
        return self.store.write(self.video, changed, materialization_id=run)

    def process(self) -> None:
        self.project.process(self.text)
        self.project.process(self.summary)

    def explain(self, feature: FeatureClass | None = None, record: Any = "v1") -> mx.Explanation:
        return self.store.explain(feature or self.text, record)


@pytest.fixture
def chain(project: Project) -> Chain:
    made = Chain(project)
    made.film("a1", run="run-1")
    made.process()
    return made


def versions(store: mx.MetadataStore, feature: FeatureClass) -> dict[str, str]:
    (found,) = store.read(feature).to_polars()["metaxy_data_version_by_field"]
    return dict(found)


def reasons(explanation: mx.Explanation) -> list[str]:
    return [reason for field in explanation.fields for reason in field.reasons]


# --------------------------------------------------------------------------- up to date and new


def test_a_record_that_is_as_expected_is_up_to_date(chain: Chain) -> None:
    found = chain.explain()
    (field,) = found.fields
    assert (found.status, found.reasons) == ("up to date", ())
    assert (field.changed, field.reasons) == (False, ())
    assert field.stored == field.expected == versions(chain.store, chain.text)["text"]


def test_a_record_tells_which_commit_stored_it(chain: Chain) -> None:
    (row,) = chain.store.read(chain.text).to_polars().to_dicts()
    found = chain.explain()
    assert found.origin is not None
    assert found.origin.commit == row["metaxy_commit"]
    assert found.origin.created_at == row["metaxy_created_at"]
    assert found.feature_version == row["metaxy_feature_version"]


def test_a_record_that_was_never_computed_is_new(chain: Chain) -> None:
    chain.store.write(chain.video, chain.project.samples(v2={"audio": "x", "frames": "y"}))
    found = chain.explain(record="v2")
    expected = chain.store.resolve_update(chain.text).new["metaxy_provenance_by_field"][0]
    assert (found.status, found.reasons, found.origin) == ("new", ("it is not stored",), None)
    assert (found.fields[0].stored, found.fields[0].expected) == (None, expected["text"])
    assert [(read.then, read.reasons) for read in found.fields[0].reads] == [("not read", ())]


def test_a_deleted_record_that_is_called_for_is_new_again(chain: Chain) -> None:
    commit = chain.store.delete(chain.text, pl.DataFrame({"id": ["v1"]}), materialization_id="tidy")
    found = chain.explain()
    assert found.status == "new"
    assert found.reasons[0].startswith(f"it was deleted in commit {commit.id} at 20")
    assert found.reasons[0].endswith(" UTC by tidy")


def test_a_record_that_nothing_calls_for_is_unknown(chain: Chain) -> None:
    found = chain.explain(record="v9")
    assert found.status == "unknown"
    assert found.reasons == (
        "it is not stored",
        "video has no such record: it is not stored",
    )
    assert [(above.feature, above.status) for above in found.upstream] == [("video", "unknown")]


def test_a_record_is_explained_before_anything_was_written(project: Project) -> None:
    assert Chain(project).explain().status == "unknown"


# --------------------------------------------------------------------------- stale


def test_a_change_upstream_is_told_with_both_versions_and_both_commits(chain: Chain) -> None:
    before = versions(chain.store, chain.video)
    commit = chain.film("a2", run="run-7")
    after = versions(chain.store, chain.video)

    found = chain.explain()
    (field,) = found.fields
    (read,) = field.reads
    assert (found.status, field.changed) == ("stale", True)
    assert (str(read), read.change, read.then, read.now) == (
        "video.audio",
        "changed",
        before["audio"],
        after["audio"],
    )
    assert read.then_origin.materialization_id == "run-1"
    assert (read.now_origin.commit, read.now_origin.materialization_id) == (commit.id, "run-7")
    at = commit.created_at.strftime("%Y-%m-%d %H:%M:%S")
    (reason,) = field.reasons
    assert reason == (
        f"video.audio changed from {before['audio']} to {after['audio']} "
        f"in commit {commit.id} at {at} UTC by run-7"
    )


def test_the_expected_provenance_is_the_increments(chain: Chain) -> None:
    chain.film("a2")
    stale = chain.store.resolve_update(chain.text).stale
    assert chain.explain().fields[0].expected == stale["metaxy_provenance_by_field"][0]["text"]


def test_a_change_of_a_field_that_is_not_read_is_no_reason(chain: Chain) -> None:
    chain.film("a1", "f2")
    assert chain.explain().status == "up to date"
    assert reasons(chain.explain()) == []


def test_the_version_that_was_read_is_told_and_not_the_last_but_one(chain: Chain) -> None:
    read = versions(chain.store, chain.video)["audio"]
    for audio in ["a2", "a3"]:
        chain.film(audio)
    assert chain.explain().fields[0].reads[0].then == read


def test_a_change_back_to_what_was_read_is_no_change(chain: Chain) -> None:
    for audio in ["a2", "a1"]:
        chain.film(audio)
    assert chain.explain().status == "up to date"


def test_the_own_code_version_is_told_then_and_now(chain: Chain) -> None:
    chain.release(text=2)
    (field,) = chain.explain().fields
    assert (field.changed, field.code_then, field.code_now) == (True, "1", "2")
    assert field.reasons == ("code version 1 → 2",)


def test_new_code_and_a_change_upstream_are_both_told(chain: Chain) -> None:
    chain.film("a2")
    chain.release(text=2)
    first, second = reasons(chain.explain())
    assert first == "code version 1 → 2"
    assert second.startswith("video.audio changed from ")


def test_a_field_that_reads_more_says_so(chain: Chain) -> None:
    chain.release(reads=("audio", "frames"))
    (field,) = chain.explain().fields
    assert field.reasons == ("now reads video.frames",)
    assert [(read.field, read.change, read.then) for read in field.reads] == [
        ("audio", "unchanged", versions(chain.store, chain.video)["audio"]),
        ("frames", "added", "not read"),
    ]


def test_a_field_that_reads_something_else_says_what_it_read(chain: Chain) -> None:
    chain.release(reads=("frames",))
    found = chain.explain()
    assert reasons(found) == ["now reads video.frames", "no longer reads video.audio"]
    assert [(read.field, read.now) for read in found.fields[0].reads] == [
        ("frames", versions(chain.store, chain.video)["frames"]),
        ("audio", "not read"),
    ]


def test_a_field_that_was_added_is_not_in_the_stored_record(project: Project) -> None:
    video = project.feature("video", fields=["audio"])
    text = project.feature("text", deps=[video], fields=["audio"])
    project.process(video, project.samples(v1={"audio": "a"}))
    project.process(text)
    text = project.feature("text", deps=[video], fields=["audio", "more"])
    audio, more = project.store.explain(text, "v1").fields
    assert (audio.changed, audio.reasons) == (False, ())
    assert (more.changed, more.stored, more.code_then) == (True, None, None)
    assert more.reasons == ("the stored record does not have this field",)


def test_a_dep_that_is_gone_is_told(project: Project) -> None:
    videos, notes = project.feature("video"), project.feature("note")
    text = project.feature("text", deps=[videos, notes])
    for root in (videos, notes):
        project.process(root, project.samples(v1="a"))
    project.process(text)
    text = project.feature("text", deps=[videos])
    found = project.store.explain(text, "v1")
    assert reasons(found) == ["no longer reads note.default"]
    assert [above.feature for above in found.upstream] == ["video"]


# --------------------------------------------------------------------------- set data versions


def with_version(frame: pl.DataFrame, version: str) -> pl.DataFrame:
    return frame.with_columns(metaxy_data_version_by_field=pl.struct(text=pl.lit(version)))


def test_an_upstream_record_that_came_out_the_same_is_told_and_changes_nothing(
    chain: Chain,
) -> None:
    chain.release(text=2)
    again = chain.store.resolve_update(chain.text).stale
    chain.store.write(chain.text, with_version(again, "content"))
    chain.project.process(chain.summary)
    chain.film("a2")
    again = chain.store.resolve_update(chain.text).stale
    commit = chain.store.write(chain.text, with_version(again, "content"), materialization_id="r")

    (field,) = chain.explain(chain.summary).fields
    assert (field.changed, field.reads[0].change) == (False, "unchanged")
    (reason,) = field.reasons
    assert reason == (
        f"text.text was computed again in commit {commit.id} at "
        f"{commit.created_at:%Y-%m-%d %H:%M:%S} UTC by r, but its data version stayed as the user "
        f"set it"
    )


# --------------------------------------------------------------------------- blocked and orphaned


def test_a_blocked_record_says_which_code_it_waits_for(chain: Chain) -> None:
    chain.release(audio=2)
    found = chain.explain()
    assert found.status == "blocked"
    assert found.fields[0].expected is None
    assert reasons(found) == [
        "video.audio was computed by code version 1, now 2; it has to be computed again first"
    ]


def test_a_record_downstream_of_a_blocked_one_leads_to_the_cause(chain: Chain) -> None:
    chain.release(audio=2)
    found = chain.explain(chain.summary)
    (text,) = found.upstream
    (video,) = text.upstream
    assert [each.status for each in (found, text, video)] == ["up to date", "blocked", "stored"]
    assert [(field.field, field.reasons) for field in video.fields] == [
        ("audio", ("code version 1 → 2",)),
        ("frames", ()),
    ]


def test_an_orphan_says_who_deleted_what_it_came_from(chain: Chain) -> None:
    commit = chain.store.delete(chain.video, filters="id = 'v1'", materialization_id="tidy")
    found = chain.explain()
    at = commit.created_at.strftime("%Y-%m-%d %H:%M:%S")
    assert found.status == "orphaned"
    assert found.reasons == (
        f"video has no such record: deleted in commit {commit.id} at {at} UTC by tidy",
    )
    assert found.fields[0].reads[0].now == "missing"


def test_an_orphan_names_the_filter_that_its_upstream_fails(project: Project) -> None:
    video = project.feature("video", columns={"duration": int})
    dep = mx.FeatureDep(feature=video, filter="duration > 1")
    text = project.feature("text", deps=[dep])
    project.process(video, project.samples(v1="a"), duration=2)
    project.process(text)
    commit = project.store.write(
        video, project.samples(v1="b").with_columns(duration=pl.lit(1, pl.Int64))
    )
    found = project.store.explain(text, "v1")
    assert found.status == "orphaned"
    assert found.reasons[0].startswith(f"video has no such record: as of commit {commit.id} at ")
    assert found.reasons[0].endswith("it does not pass the filter 'duration > 1'")


def test_a_filter_that_changed_is_told(project: Project) -> None:
    video = project.feature("video", columns={"duration": int})
    project.process(video, project.samples(v1="a"), duration=2)
    text = project.feature("text", deps=[video])
    project.process(text)
    text = project.feature("text", deps=[mx.FeatureDep(feature=video, filter="duration > 5")])
    assert "filter of dep video: none → 'duration > 5'" in project.store.explain(text, "v1").reasons


# --------------------------------------------------------------------------- optional deps


def test_an_optional_record_that_appears_and_disappears(project: Project) -> None:
    video, note = project.feature("video"), project.feature("note")
    optional = mx.FeatureDep(feature=note, optional=True)
    text = project.feature("text", deps=[video, optional])
    project.process(video, project.samples(v1="a"))
    project.process(text)
    commit = project.store.write(note, project.samples(v1="n"))

    found = project.store.explain(text, "v1")
    read = next(read for read in found.fields[0].reads if read.feature == "note")
    assert (read.change, read.then, read.then_origin) == ("added", "missing", None)
    assert reasons(found)[0].startswith(f"the record of note appeared in commit {commit.id} at ")

    project.process(text)
    commit = project.store.delete(note, filters="id = 'v1'")
    found = project.store.explain(text, "v1")
    assert reasons(found)[0].startswith(
        f"the record of note disappeared: note has no such record: deleted in commit {commit.id} at"
    )


# --------------------------------------------------------------------------- groups


class Speakers:
    """Clips of speakers; a speaker is made of his clips."""

    def __init__(self, project: Project) -> None:
        self.project, self.store = project, project.store
        self.clip = project.feature("clip", columns={"speaker": str})
        dep = mx.FeatureDep(feature=self.clip, lineage=mx.aggregation(on=["speaker"]))
        self.speaker = project.feature("speaker", ids=["speaker"], deps=[dep])

    def record(self, speaker: str, **clips: str) -> mx.Commit:
        frame = self.project.samples(**clips).with_columns(speaker=pl.lit(speaker))
        return self.store.write(self.clip, frame)


@pytest.fixture
def speakers(project: Project) -> Speakers:
    made = Speakers(project)
    made.record("ann", c1="1", c2="1", c3="1")
    project.process(made.speaker)
    return made


def test_members_that_were_added_removed_and_changed_are_named(speakers: Speakers) -> None:
    deleted = speakers.store.delete(speakers.clip, filters="id = 'c2'")
    written = speakers.record("ann", c3="2", c4="1")
    found = speakers.store.explain(speakers.speaker, "ann")
    (read,) = found.fields[0].reads
    assert (found.status, read.then, read.now) == ("stale", "3 members", "3 members")
    assert {m.id["id"]: (m.change, m.origin.commit) for m in read.members} == {
        "c4": ("added", written.id),
        "c2": ("removed", deleted.id),
        "c3": ("changed", written.id),
    }
    assert [reason.split(" in commit")[0] for reason in reasons(found)] == [
        "clip: member id=c4 added",
        "clip: member id=c2 removed: deleted",
        f"clip: member id=c3 changed from {read.members[2].then} to {read.members[2].now}",
    ]


def test_a_member_that_went_to_another_group_is_removed(speakers: Speakers) -> None:
    commit = speakers.record("bob", c3="1")
    found = speakers.store.explain(speakers.speaker, "ann")
    (reason,) = reasons(found)
    assert reason.startswith(
        f"clip: member id=c3 removed: it went to another group in commit {commit.id}"
    )


def test_the_members_that_changed_are_explained_first(speakers: Speakers) -> None:
    speakers.record("ann", **{f"d{n}": "1" for n in range(6)})
    found = speakers.store.explain(speakers.speaker, "ann")
    assert [above.id["id"] for above in found.upstream] == ["d0", "d1", "d2", "d3", "d4"]
    assert found.omitted == 4


def test_a_group_without_members_is_unknown(speakers: Speakers) -> None:
    found = speakers.store.explain(speakers.speaker, "nobody")
    assert found.reasons == ("it is not stored", "clip has no member in this group")
    assert found.upstream == ()


# --------------------------------------------------------------------------- expansions


class Scenes:
    """A video's scenes."""

    def __init__(self, project: Project) -> None:
        self.project, self.store = project, project.store
        self.video = project.feature("video")
        dep = mx.FeatureDep(feature=self.video, lineage=mx.expansion())
        self.scene = project.feature("scene", ids=["scene"], deps=[dep], columns={"id": str})
        project.process(self.video, project.samples(v1="a"))
        self.cut("s1", "s2")

    def cut(self, *scenes: str) -> None:
        increment = self.store.resolve_update(self.scene)
        parents = pl.concat([increment.new, increment.stale.drop("metaxy_changed_fields")])
        children = parents.join(pl.DataFrame({"scene": list(scenes)}), how="cross")
        self.store.write(self.scene, children, processed=parents)


def test_a_child_is_explained_by_its_parent(project: Project) -> None:
    scenes = Scenes(project)
    project.process(scenes.video, project.samples(v1="b"))
    by_child = project.store.explain(scenes.scene, "s1")
    by_parent = project.store.explain(scenes.scene, {"id": "v1"})
    assert (by_child.status, by_child.id) == ("stale", {"id": "v1"})
    assert by_child.fields == by_parent.fields
    assert reasons(by_child)[0].startswith("video.default changed from ")


def test_a_value_that_no_child_has_is_a_parents(project: Project) -> None:
    scenes = Scenes(project)
    found = project.store.explain(scenes.scene, "v1")
    assert (found.status, found.id, found.reasons) == ("up to date", {"id": "v1"}, ())


def test_a_child_that_the_last_write_dropped_is_told(project: Project) -> None:
    scenes = Scenes(project)
    project.process(scenes.video, project.samples(v1="b"))
    scenes.cut("s1")
    assert (
        project.store.explain(scenes.scene, "s2")
        .reasons[0]
        .startswith("the record scene=s2 was deleted in commit")
    )


def test_a_child_that_never_was_has_no_parent(project: Project) -> None:
    scenes = Scenes(project)
    found = project.store.explain(scenes.scene, {"scene": "s9"})
    assert (found.status, found.id) == ("unknown", {"scene": "s9"})


# --------------------------------------------------------------------------- roots


def test_without_samples_a_root_says_that_only_they_tell(chain: Chain) -> None:
    found = chain.explain(chain.video)
    assert (found.status, [field.changed for field in found.fields]) == ("stored", [None, None])
    assert "only samples tell" in found.reasons[0]


def test_with_samples_a_root_is_compared_with_them(chain: Chain) -> None:
    found = chain.store.explain(chain.video, "v1", chain.samples("a2"))
    assert found.status == "stale"
    assert [(field.changed, field.reasons) for field in found.fields] == [
        (True, ("its sample changed",)),
        (False, ()),
    ]


def test_a_root_may_be_new_orphaned_and_up_to_date(chain: Chain) -> None:
    others = chain.project.samples(v2={"audio": "x", "frames": "y"})
    status = lambda record, samples: chain.store.explain(chain.video, record, samples).status
    assert status("v2", others) == "new"
    assert status("v1", others) == "orphaned"
    assert status("v1", chain.samples("a1")) == "up to date"
    assert status("v9", others) == "unknown"


# --------------------------------------------------------------------------- the chain


def test_the_chain_leads_up_to_the_root(chain: Chain) -> None:
    chain.film("a2")
    found = chain.explain(chain.summary)
    (text,) = found.upstream
    (video,) = text.upstream
    assert [(each.feature, each.status) for each in (found, text, video)] == [
        ("summary", "up to date"),
        ("text", "stale"),
        ("video", "stored"),
    ]


def test_a_record_on_two_paths_is_printed_once(project: Project) -> None:
    video = project.feature("video")
    left, right = (project.feature(key, deps=[video]) for key in ("left", "right"))
    both = project.feature("both", deps=[left, right])
    project.process(video, project.samples(v1="a"))
    for feature in (left, right, both):
        project.process(feature)
    found = project.store.explain(both, "v1")
    assert [above.upstream[0].feature for above in found.upstream] == ["video", "video"]
    assert str(found).count("video id=v1: stored\n") == 1
    assert "video id=v1: stored, explained above" in str(found)


def test_renamed_ids_are_followed(project: Project) -> None:
    video = project.feature("video")
    text = project.feature(
        "text", ids=["video_id"], deps=[mx.FeatureDep(feature=video, rename={"id": "video_id"})]
    )
    project.process(video, project.samples(v1="a"))
    project.process(text)
    project.process(video, project.samples(v1="b"))
    found = project.store.explain(text, {"video_id": "v1"})
    assert found.status == "stale"
    assert found.upstream[0].id == {"id": "v1"}


def test_an_explanation_prints_as_a_tree(chain: Chain) -> None:
    chain.release(text=2)
    lines = str(chain.explain()).splitlines()
    assert lines[0] == "text id=v1: stale"
    assert lines[1].startswith("├── stored by commit 2 at 20")
    assert lines[2].startswith("├── text: changed ")
    assert lines[3:5] == ["│   └── code version 1 → 2", "└── video id=v1: stored"]


def test_an_explanation_is_json(chain: Chain) -> None:
    chain.film("a2", run="run-2")
    told = json.loads(json.dumps(chain.explain().to_dict()))
    assert (told["feature"], told["id"], told["status"]) == ("text", {"id": "v1"}, "stale")
    assert told["fields"][0]["reads"][0]["now_origin"]["materialization_id"] == "run-2"
    assert told["upstream"][0]["feature"] == "video"


# --------------------------------------------------------------------------- erased history


def test_versions_that_were_erased_are_unknown(chain: Chain) -> None:
    chain.store.delete(chain.video, filters="id = 'v1'", hard=True)
    chain.film("a2")
    found = chain.explain()
    assert found.status == "stale"
    assert found.reasons == (
        "the versions that it was computed from are not in the history any more",
    )
    assert (found.fields[0].reads[0].then, found.fields[0].reads[0].change) == ("unknown",) * 2


# --------------------------------------------------------------------------- ids


@pytest.mark.parametrize("record", ["v1", ("v1",), ["v1"], {"id": "v1"}])
def test_an_id_may_be_a_value_values_or_a_mapping(chain: Chain, record: Any) -> None:
    assert chain.explain(record=record).status == "up to date"


def test_text_is_read_as_the_type_of_the_id(project: Project) -> None:
    video = project.feature("video", columns={"id": int})
    versions = [{"default": "a"}]
    project.store.write(video, pl.DataFrame({"id": [7], "metaxy_provenance_by_field": versions}))
    assert project.store.explain(video, "7").id == {"id": 7}
    assert project.store.explain(video, 7).status == "stored"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (("v1", "v2"), "identified by (id)"),
        ({"video": "v1"}, "identified by (id)"),
        ({}, "identified by (id)"),
        (7, "7 is no 'id' of 'text', which is string"),
        (None, "a record has no NULL in its id"),
        (True, "True is no 'id' of 'text'"),
    ],
)
def test_an_id_of_another_shape_or_type_is_refused(chain: Chain, record: Any, said: str) -> None:
    with chain.project.refuses(InvalidId, "'text'", said):
        chain.explain(record=record)


def test_text_that_is_no_number_is_no_number(project: Project) -> None:
    video = project.feature("video", columns={"id": int})
    with pytest.raises(InvalidId, match="'v1' is no 'id' of 'video', which is int64"):
        project.store.explain(video, "v1")


def test_samples_are_for_roots_only(chain: Chain) -> None:
    with pytest.raises(InvalidSamples, match="'text' has deps"):
        chain.store.explain(chain.text, "v1", chain.samples("a1"))


def test_an_unknown_feature_is_refused(chain: Chain) -> None:
    with pytest.raises(UnknownFeature, match="did you mean 'text'"):
        chain.store.explain("texd", "v1")


def test_a_record_is_explained_after_an_upstream_field_was_renamed(project: Project) -> None:
    video = project.feature("video", fields=["sound"])
    project.store.write(video, project.samples(a={"sound": "1"}))
    text = project.feature("text", deps=[video])
    project.process(text)
    project.feature("video", fields=["audio"])
    text = project.feature("text", deps=["video"])
    assert project.store.explain(text, "a").status == "blocked"
