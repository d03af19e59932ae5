"""Features, their functions and their automation are said in the YAML of a dg component."""

import itertools
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import dagster as dg
import pytest

import metaxy_core as mx
import metaxy_dagster as mxd
from metaxy_core.config import Config, StoreConfig
from metaxy_dagster.errors import InvalidComponent, UnknownAttribute

FEATURES = """
    import metaxy_core as mx
    import metaxy_dagster as mxd
    import polars as pl

    class Clip(mx.Feature, spec=mx.FeatureSpec(
        key="media/clip", id_columns=["id"],
        fields=[mx.FieldSpec(key="audio", version_from=["etag"])],
    )):
        id: str
        etag: str

    class Text(mx.Feature, spec=mx.FeatureSpec(
        key="media/text", id_columns=["id"], deps=[Clip], fields=["words"],
    )):
        id: str
        words: str

    class Topic(mx.Feature, spec=mx.FeatureSpec(
        key="media/topic", id_columns=["id"], deps=[Text], fields=["name"],
    )):
        id: str
        name: str
"""

WORK = """
    import polars as pl
    import metaxy_dagster as mxd

    def clips():
        return pl.DataFrame({"id": ["a", "b", "c"], "etag": ["1", "1", "1"]})

    def texts(increment):
        for batch in increment.batches():
            yield batch.with_columns(words=pl.lit("hello"))

    def topics(increment):
        return increment.new.with_columns(name=pl.lit("greeting"))

    some_number = 3
"""

PROJECT = """
    [tool.dg]
    directory_type = "project"
    [tool.dg.project]
    root_module = "{name}"
    registry_modules = ["metaxy_dagster"]
"""

DEFINITIONS = """
    from pathlib import Path
    import dagster as dg

    @dg.definitions
    def defs():
        return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""

_numbers = itertools.count()


class Project:
    """A dg project in a folder: modules of features and work, and a component beside them."""

    def __init__(self, root, name):
        self.root, self.name = root, name
        self.source = root / "src" / name
        self.write("../../pyproject.toml", PROJECT.format(name=name))
        for empty in ("__init__.py", "defs/__init__.py"):
            self.write(empty, "")
        self.write("definitions.py", DEFINITIONS)
        self.write("features.py", FEATURES)
        self.write("work.py", WORK)

    def write(self, path, text):
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), "utf-8")

    def component(self, attributes, rest="", folder="media"):
        """A defs.yaml; ``@`` stands for the project's package."""
        text = textwrap.indent(textwrap.dedent(attributes), "  ").replace("@", self.name)
        said = f"type: metaxy_dagster.MetaxyComponent\nattributes:\n{text}\n"
        self.write(f"defs/{folder}/defs.yaml", said + textwrap.dedent(rest))

    def load(self, attributes=None, rest=""):
        """The definitions, checked as a code location is."""
        if attributes is not None:
            self.component(attributes, rest)
        defs = dg.load_from_defs_folder(path_within_project=self.root)
        dg.Definitions.validate_loadable(defs)
        return defs


@pytest.fixture
def project(tmp_path, monkeypatch):
    name = f"dg_project_{next(_numbers)}"
    made = Project(tmp_path, name)
    monkeypatch.syspath_prepend(tmp_path / "src")
    with mx.FeatureGraph().use():
        yield made
    for module in [each for each in sys.modules if each.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)


def run(defs, instance, *keys, **options):
    job = defs.resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey(key.split("/")) for key in keys] or None
    return job.execute_in_process(instance=instance, asset_selection=selection, **options)


def counts(result, name):
    """What was done to each feature, by a count of its materializations."""
    return {
        event.asset_key.to_user_string(): event.materialization.metadata[f"metaxy/{name}"].value
        for event in result.get_asset_materialization_events()
    }


def cause(error):
    """The error of ours among those that an exception follows from, or else the first of them."""
    found = error.value
    while not isinstance(found, mx.MetaxyError) and (found.__cause__ or found.__context__):
        found = found.__cause__ or found.__context__
    return found


BOTH = """
    feature_module: @.features
    compute:
      media/clip: @.work:clips
      media/text: @.work:texts
    store: metadata.duckdb
"""


def test_features_with_a_function_become_assets_and_the_rest_are_external(project, lab):
    defs = project.load(BOTH)

    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    executable = {key.to_user_string() for key in defs.resolve_asset_graph().executable_asset_keys}
    assert set(specs) == {"media/clip", "media/text", "media/topic"}
    assert executable == {"media/clip", "media/text"}

    assert counts(run(defs, lab.instance), "new") == {"media/clip": 3, "media/text": 3}
    assert counts(run(defs, lab.instance), "new") == {"media/clip": 0, "media/text": 0}


def test_a_database_is_found_from_the_root_of_the_project_wherever_dg_is_called(
    project, lab, monkeypatch
):
    (project.root / "elsewhere").mkdir()
    monkeypatch.chdir(project.root / "elsewhere")

    run(project.load(BOTH), lab.instance)

    assert (project.root / "metadata.duckdb").is_file()


MODES = """
    feature_module: @.features
    store: {database: metadata.duckdb, settings: {threads: 1}, lock_timeout: 5}
    compute:
      media/clip: {function: "@.work:clips", buckets: 2, tags: {tier: raw}, owners: ["team:a"]}
      media/text:
        function: "@.work:texts"
        chunk_size: 2
        limit: 2
        orphans: delete
        pool: gpu
        claim_seconds: false
        retry_policy: {max_retries: 2}
      media/topic:
        function: "@.work:topics"
        batch_size: 10
        automation_condition: "{{ on_upstream_change() }}"
"""


def test_each_way_to_receive_an_increment_is_said_by_feature(project, lab):
    defs = project.load(MODES)
    clip, text, topic = (
        defs.resolve_assets_def(dg.AssetKey(["media", name])) for name in ("clip", "text", "topic")
    )

    assert clip.partitions_def.get_partition_keys() == ["0", "1"]
    assert isinstance(text.node_def, dg.GraphDefinition)
    assert isinstance(topic.partitions_def, dg.DynamicPartitionsDefinition)
    assert clip.specs_by_key[clip.key].tags["tier"] == "raw"
    assert clip.specs_by_key[clip.key].owners == ["team:a"]
    assert topic.specs_by_key[topic.key].automation_condition is not None

    for bucket in "01":
        run(defs, lab.instance, "media/clip", partition_key=bucket)
    assert counts(run(defs, lab.instance, "media/text"), "processed") == {"media/text": 2}


def test_a_batched_feature_has_its_sensor_without_being_asked(project):
    defs = project.load(MODES)

    assert [sensor.name for sensor in defs.sensors] == ["partitions_of_media_topic"]


AUTOMATION = (
    MODES
    + """
    sensors:
      - upstream_change:
          of: media/text
          minimum_interval_seconds: 60
          run_tags: {by: yaml}
          default_status: RUNNING
      - increment_partitions: {feature: media/topic, name: topics, minimum_interval_seconds: 30}
    schedules:
      - {features: media/text, cron_schedule: "0 2 * * *", execution_timezone: Europe/Berlin}
    checks:
      - {features: media/clip, checks: [ids_unique], severity: WARN}
      - features: [media/clip, media/text]
        checks: [increment_empty]
        samples: {media/clip: "@.work:clips"}
        name: left
"""
)


def test_sensors_take_the_arguments_of_the_python_functions(project, lab):
    defs = project.load(AUTOMATION)
    changes, topics = defs.sensors

    assert (changes.name, topics.name) == ("upstream_changes_of_media_text", "topics")
    assert changes.default_status == dg.DefaultSensorStatus.RUNNING
    assert (changes.minimum_interval_seconds, topics.minimum_interval_seconds) == (60, 30)

    run(defs, lab.instance, "media/clip", partition_key="0")
    with dg.build_sensor_context(
        instance=lab.instance, resources=defs.resources, definitions=defs
    ) as context:
        (request,) = changes.evaluate_tick(context).run_requests
    assert request.tags["by"] == "yaml"


def test_schedules_and_checks_take_the_arguments_of_the_python_functions(project, lab):
    defs = project.load(AUTOMATION)
    (schedule,) = defs.schedules

    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "Europe/Berlin")

    results = [
        run(defs, lab.instance, "media/clip", partition_key="0"),
        run(defs, lab.instance, "media/clip", partition_key="1"),
        run(defs, lab.instance, "media/text"),
    ]
    found = {
        (each.asset_key.path[-1], each.check_name): each
        for result in results
        for each in result.get_asset_check_evaluations()
    }
    assert {names: each.passed for names, each in found.items()} == {
        ("clip", "ids_unique"): True,
        ("clip", "increment_empty"): True,
        ("text", "increment_empty"): False,
    }
    assert found["clip", "ids_unique"].severity == dg.AssetCheckSeverity.WARN


def test_a_translation_names_features_as_those_downstream_look_for_them(project, lab):
    defs = project.load(
        BOTH
        + """
    translation:
      key_prefix: prod
      group_name: "{{ feature.key.parts[-1] }}_group"
      tags: {team: media}
      kinds: [audio]
"""
    )
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    text = specs["prod/media/text"]

    assert set(specs) == {"prod/media/clip", "prod/media/text", "prod/media/topic"}
    assert [dep.asset_key for dep in text.deps] == [dg.AssetKey(["prod", "media", "clip"])]
    assert text.group_name == "text_group"
    assert text.tags["team"] == "media"
    assert text.kinds == {"audio"}
    assert counts(run(defs, lab.instance), "new") == {"prod/media/clip": 3, "prod/media/text": 3}


def test_post_processing_works_as_with_each_component(project):
    rest = """
        post_processing:
          assets:
            - target: "*"
              attributes: {owners: ["team:media"]}
    """

    defs = project.load(AUTOMATION, rest)

    assert {tuple(spec.owners) for spec in defs.resolve_all_asset_specs()} == {("team:media",)}
    defs.get_repository_def()


def test_several_functions_feed_one_feature_each_its_records(project):
    defs = project.load(
        """
        feature_module: @.features
        compute:
          media/clip:
            - {function: "@.work:clips", where: {id: a}}
            - {function: "@.work:clips", where: {id: b}}
          media/text: @.work:texts
        store: metadata.duckdb
        """
    )
    (text,) = [s for s in defs.resolve_all_asset_specs() if s.key.path[-1] == "text"]

    assert {dep.asset_key.to_user_string() for dep in text.deps} == {
        "media/clip/a",
        "media/clip/b",
    }


def test_a_feature_may_be_fed_in_batches_and_otherwise_too(project):
    defs = project.load(
        """
        feature_module: @.features
        compute:
          media/text:
            - {function: "@.work:texts", where: {id: a}, batch_size: 10}
            - {function: "@.work:texts", where: {id: b}}
        store: metadata.duckdb
        """
    )

    assert [sensor.name for sensor in defs.sensors] == ["partitions_of_media_text_a"]


def test_assets_in_a_module_and_modules_beside_the_yaml_are_found(project):
    project.write(
        "defs/media/made.py",
        f"""
        import metaxy_dagster as mxd
        from {project.name}.features import Text

        @mxd.metaxify(Text, group_name="mine")
        def text(increment):
            return increment.new
        """,
    )

    defs = project.load(
        "feature_module: [@.features, .made]\nselection: media/clip media/text\n"
        "store: metadata.duckdb"
    )

    groups = {s.key.to_user_string(): s.group_name for s in defs.resolve_all_asset_specs()}
    assert groups == {"media/clip": "media", "media/text": "mine"}


def test_a_metaxy_toml_names_the_features_and_the_store(project, lab):
    (project.root / "metaxy.toml").write_text(
        f'project = "clips"\nentrypoints = ["{project.name}.features"]\n'
        f'[stores.dev]\npath = "dev.duckdb"\nhash = "xxh64"\n'
    )

    defs = project.load(
        "compute: {media/clip: '@.work:clips'}\nselection: media/clip\nstore: dev\n"
    )

    assert counts(run(defs, lab.instance), "new") == {"media/clip": 3}
    store = defs.resources["metaxy_store"]
    assert (Path(store.database), store.hash) == (project.root / "dev.duckdb", "xxh64")
    assert mx.FeatureGraph.active()["media/clip"].project == "clips"


def test_two_components_share_a_store(project, lab):
    project.component(
        """
        feature_module: @.features
        selection: media/clip
        compute: {media/clip: "@.work:clips"}
        store: metadata.duckdb
        """,
        folder="first",
    )
    project.component(
        """
        feature_module: @.features
        selection: media/text
        compute: {media/text: "@.work:texts"}
        store: metadata.duckdb
        """,
        folder="second",
    )

    assert counts(run(project.load(), lab.instance), "new") == {"media/clip": 3, "media/text": 3}


def test_without_a_store_the_resources_are_those_of_the_project(project, lab):
    project.component(BOTH.replace("store: metadata.duckdb", ""))

    defs = dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=project.root),
        dg.Definitions(resources=lab.resources),
    )

    assert counts(run(defs, lab.instance), "new") == {"media/clip": 3, "media/text": 3}


def test_the_component_says_the_same_in_python(project, lab):
    project.write(
        "defs/component.py",
        f"""
        import dagster as dg
        import metaxy_dagster as mxd

        @dg.component_instance
        def media(context: dg.ComponentLoadContext) -> mxd.MetaxyComponent:
            return mxd.MetaxyComponent(
                feature_module="{project.name}.features",
                compute={{
                    "media/clip": "{project.name}.work:clips",
                    "media/text": {{"function": "{project.name}.work:texts", "chunk_size": 2}},
                }},
                store="metadata.duckdb",
            )
        """,
    )

    assert counts(run(project.load(), lab.instance), "new") == {"media/clip": 3, "media/text": 3}


# ------------------------------------------------------------------ mistakes


def refusal(project, attributes):
    """The error that a YAML text ends in."""
    text = textwrap.dedent(attributes).replace("@", project.name)
    with pytest.raises(Exception, match=".") as error:  # noqa: PT012 - either may refuse
        component = mxd.MetaxyComponent.resolve_from_yaml(text)
        dg.build_defs_for_component(component)
    return cause(error)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ("stor: a.duckdb", ["MetaxyComponent has no 'stor'", "did you mean 'store'?"]),
        (
            "compute: {media/text: {function: 'a:b', chunksize: 3}}",
            ["compute has no 'chunksize'", "did you mean 'chunk_size'?", "media/text"],
        ),
        ("store: {path: a.duckdb}", ["store has no 'path'", "database, type"]),
        ("schedules: [{cron: x, features: a}]", ["schedules has no 'cron'", "cron_schedule"]),
    ],
)
def test_unknown_keys_are_refused_with_those_that_there_are(project, attributes, words):
    error = str(refusal(project, attributes))

    assert [word for word in words if word not in error] == []


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        ("media/text: '@.work.texts'", ["compute.media/text", "'module:function'"]),
        ("media/text: '@.wrk:texts'", ["compute.media/text", "No module named", "Correct the"]),
        ("media/text: '@.work:text'", ["compute.media/text", "did you mean 'texts'?"]),
        ("media/text: '@.work:some_number'", ["compute.media/text", "give a function"]),
        ("media/txt: '@.work:texts'", ["'media/txt' under compute", "media/text"]),
        ("media/text: []", ["compute.media/text", "[]", "'module:function'"]),
        (
            "media/text: {function: '@.work:texts', chunk_size: many}",
            ["'media/text'", "chunk_size='many'", "a whole number from 1"],
        ),
        (
            "media/clip: {function: '@.work:clips', batch_size: 2}",
            ["'media/clip'", "batch_size"],
        ),
    ],
)
def test_a_function_that_cannot_be_used_is_named_with_its_feature(project, compute, words):
    error = refusal(project, f"feature_module: '@.features'\ncompute: {{{compute}}}")

    assert isinstance(error, mxd.AssetError)
    assert [word for word in words if word not in str(error)] == []


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ("store: ':memory:'", ["store.database", "':memory:'", "a file"]),
        ("store: prod", ["'prod'"]),
        ("sensors: [{}]", ["sensors", "either upstream_change or"]),
        (
            "sensors: [{upstream_change: {of: media/text, default_status: started}}]",
            ["default_status", "RUNNING or STOPPED"],
        ),
        (
            "sensors: [{increment_partitions: {feature: media/text}}]",
            ["increment_partitions.feature", "'media/text'", "batch_size"],
        ),
        ("checks: [{features: media/topic}]\nselection: media/clip", ["checks.features", "topic"]),
        ("checks: [{checks: [ids]}]", ["'ids'", "ids_unique"]),
        ("translation: {code_version: '3'}", ["code_version", "'media/clip'", "post_processing"]),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_next_step(project, attributes, words):
    error = str(refusal(project, f"feature_module: '@.features'\n{attributes}"))

    assert [word for word in words if word not in error] == []


def test_an_unknown_key_in_python_is_refused_too():
    with pytest.raises(ValueError, match="did you mean 'schedules'") as error:
        mxd.MetaxyComponent(schedule=[])

    assert isinstance(error.value.errors()[0]["ctx"]["error"], UnknownAttribute)


def test_a_store_over_others_cannot_be_a_resource():
    config = Config(
        stores={
            "dev": StoreConfig(path="dev.duckdb", fallback=("prod",)),
            "prod": StoreConfig(path="prod.duckdb"),
        }
    )

    with pytest.raises(mxd.AssetError, match=r"'dev'.*fallback=\['prod'\].*without fallback"):
        mxd.MetaxyStoreResource.from_config(config, "dev")


def test_an_invalid_component_is_an_asset_error():
    assert issubclass(InvalidComponent, mxd.AssetError)


# ------------------------------------------------------------------ the command line


class CommandLine:
    """The ``dg`` command in a project of its own."""

    def __init__(self, project):
        self.project = project
        project.write(
            "defs/executor.py",
            "import dagster as dg\ndefs = dg.Definitions(executor=dg.in_process_executor)\n",
        )

    def __call__(self, *arguments):
        here = str(Path(__file__).parents[2])
        paths = [here, str(self.project.root / "src"), os.environ.get("PYTHONPATH", "")]
        done = subprocess.run(
            [Path(sys.executable).with_name("dg"), *arguments],
            cwd=self.project.root,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                "DAGSTER_HOME": "",
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


NAMED = ("defs", "metaxy_dagster.MetaxyComponent", "mine", "--store", "m.duckdb")
LAUNCH = ("launch", "--assets", "media/clip,media/transcript")


@pytest.mark.slow
def test_a_scaffolded_component_computes_an_increment_once(project, lab):
    command = CommandLine(project)

    command("scaffold", *NAMED)
    launched = command(*LAUNCH)

    assert "store: m.duckdb" in (project.source / "defs/mine/defs.yaml").read_text()
    assert "media/transcript: 2 new, 0 stale" in launched.stdout + launched.stderr
    again = run(project.load(), lab.instance, "media/transcript")
    assert counts(again, "new") == {"media/transcript": 0}
    assert counts(again, "spared") == {"media/transcript": 2}


@pytest.mark.slow
def test_dg_launches_a_second_run_that_has_nothing_to_do(project):
    command = CommandLine(project)
    command("scaffold", *NAMED)

    first, second = command(*LAUNCH), command(*LAUNCH)

    assert "media/transcript: 2 new, 0 stale" in first.stdout + first.stderr
    assert "media/transcript: 0 new, 0 stale" in second.stdout + second.stderr


@pytest.mark.slow
def test_dg_lists_checks_and_shows_the_component(project):
    command = CommandLine(project)

    listed = command("list", "components", "--package", "metaxy_dagster", "--json")
    command("scaffold", *NAMED, "--feature-module", f"{project.name}.features")
    command("check", "yaml")
    command("check", "defs")
    defs = command("list", "defs", "--json")

    assert '"metaxy_dagster.MetaxyComponent"' in listed.stdout
    found = json.loads(defs.stdout)
    assert [each["asset_key"] for each in found["assets"]] == [
        "media/clip",
        "media/text",
        "media/topic",
    ]
    assert {each["name"] for each in found["resources"]} == {"metaxy_store", "metaxy_io_manager"}
