"""A translator decides whatever the author of an asset does not say."""

import dagster as dg
import pytest

import metaxy_dagster as mxd

CONDITION = dg.AutomationCondition.eager()
MINE = dg.AutomationCondition.on_cron("@daily")


class House(mxd.MetaxyTranslator):
    """Everything different."""

    def asset_key(self, definition):
        return super().asset_key(definition).with_prefix("house")

    def slice_key(self, definition, where):
        return self.asset_key(definition).with_prefix("-".join(map(str, where.values())))

    def group_name(self, definition):
        return f"group_of_{definition.key.parts[-1]}"

    def description(self, definition):
        return f"The house's {definition.key}."

    def kinds(self, definition):
        return {"house"}

    def tags(self, definition):
        return {"house/part": definition.key.parts[-1]}

    def owners(self, definition):
        return ["team:house"]

    def metadata(self, definition):
        return {"house/contact": "reception"}

    def automation_condition(self, definition):
        return CONDITION

    def pool(self, definition):
        return "house_pool"


OWN = {
    "group_name": "mine",
    "description": "My words.",
    "owners": ["team:mine"],
    "tags": {"house/part": "mine"},
    "automation_condition": MINE,
}
OWN_METADATA = {"house/contact": "me"}


def function_form(feature, own, metadata):
    return mxd.metaxify(feature, translator=House(), metadata=metadata, **own)(_work)


def _work(increment):
    return increment.new


def asset_form(feature, own, metadata):
    named = {**metadata, "metaxy/feature": feature}
    asset = dg.asset(name="transcript", metadata=named, **own)(lambda: None)
    return mxd.metaxify(translator=House())(asset)


def multi_asset_outs(feature, own, metadata):
    out = dg.AssetOut(metadata={**metadata, "metaxy/feature": feature}, **own)
    asset = dg.multi_asset(outs={"transcript": out}, name="several")(lambda: None)
    return mxd.metaxify(translator=House())(asset)


def multi_asset_specs(feature, own, metadata):
    spec = dg.AssetSpec("transcript", metadata={**metadata, "metaxy/feature": feature}, **own)
    return mxd.metaxify(translator=House())(
        dg.multi_asset(specs=[spec], name="several")(lambda: None)
    )


def bare_spec(feature, own, metadata):
    return mxd.external_feature(feature, translator=House(), metadata=metadata, **own)


FORMS = pytest.mark.parametrize(
    "form", [function_form, asset_form, multi_asset_outs, multi_asset_specs, bare_spec]
)


def spec_of(made):
    return made if isinstance(made, dg.AssetSpec) else next(iter(made.specs))


@FORMS
def test_all_of_it_is_applied(media, form):
    with media.graph.use():
        spec = spec_of(form(media.Transcript, {}, {}))

    assert spec.key == dg.AssetKey(["house", "example", "transcript"])
    assert {dep.asset_key for dep in spec.deps} == {dg.AssetKey(["house", "example", "video"])}
    assert spec.group_name == "group_of_transcript"
    assert spec.description == "The house's example/transcript."
    assert spec.kinds == {"house"}
    assert spec.tags["house/part"] == "transcript"
    assert list(spec.owners) == ["team:house"]
    assert spec.metadata["house/contact"] == "reception"
    assert spec.automation_condition == CONDITION


@FORMS
def test_what_the_author_set_wins(media, form):
    with media.graph.use():
        spec = spec_of(form(media.Transcript, OWN, OWN_METADATA))

    assert (spec.group_name, spec.description) == ("mine", "My words.")
    assert list(spec.owners) == ["team:mine"]
    assert spec.tags["house/part"] == "mine"
    assert spec.metadata["house/contact"] == "me"
    assert spec.automation_condition == MINE


@pytest.mark.parametrize(("own", "expected"), [({}, "house_pool"), ({"pool": "mine"}, "mine")])
def test_a_pool_is_given_to_the_step_of_a_function(media, own, expected):
    asset = mxd.metaxify(media.Transcript, translator=House(), **own)(_work)

    assert asset.op.pool == expected


def test_without_a_translator_there_is_neither_pool_nor_condition(media):
    asset = mxd.metaxify(media.Transcript)(_work)

    assert asset.op.pool is None
    assert spec_of(asset).automation_condition is None


def test_the_keys_of_slices_may_differ_too(media):
    asset = mxd.metaxify(media.Video, translator=House(), where={"path": "a"})(lambda: None)

    assert asset.key == dg.AssetKey(["a", "house", "example", "video"])


def test_the_kind_of_store_may_be_left_out(media):
    spec = mxd.external_feature(media.Video, translator=mxd.MetaxyTranslator(store_kind=None))

    assert spec.kinds == {"metaxy"}
    assert "dagster/storage_kind" not in spec.metadata
