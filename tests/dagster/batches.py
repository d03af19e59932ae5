"""A batched asset with its sensor, in a daemon's place."""

import dagster as dg

import metaxy_dagster as mxd


class Batched:
    """A batched asset, its sensor, and a daemon that does what the sensor says."""

    def __init__(self, lab, asset, video):
        self.lab, self.asset, self.video = lab, asset, video
        self.sensor = mxd.increment_partitions_sensor(asset)
        self.cursor = None
        self.launched = []

    @property
    def partitions(self):
        """Those of the batches."""
        name = self.asset.partitions_def.name
        return sorted(set(self.lab.instance.get_dynamic_partitions(name)) - {"settled"})

    @property
    def plan(self):
        return f"partitions {self.asset.partitions_def.name}"

    def evaluate(self):
        """What a tick says, before anything is done about it."""
        context = dg.build_sensor_context(
            instance=self.lab.instance,
            cursor=self.cursor,
            resources={"metaxy_store": self.lab.store},
        )
        return self.sensor(context)

    def accept(self, said):
        """Do what a tick says, keep the cursor; gives the partitions to be run."""
        if isinstance(said, dg.SkipReason):
            return []
        for event in said.asset_events:
            self.lab.instance.report_runless_asset_event(event)
        for change in said.dynamic_partitions_requests or []:
            if isinstance(change, dg.AddDynamicPartitionsRequest):
                names = list(change.partition_keys)
                self.lab.instance.add_dynamic_partitions(change.partitions_def_name, names)
            else:
                for key in change.partition_keys:
                    self.lab.instance.delete_dynamic_partition(change.partitions_def_name, key)
        self.cursor = said.cursor
        keys = [
            request.run_key for request in said.run_requests if request.run_key not in self.launched
        ]
        self.launched += keys
        return keys

    def run(self, key, **options):
        return self.lab.run(
            self.video, self.asset, selection=[self.asset], partition_key=key, **options
        )

    def tick(self):
        """A tick, and the runs that it requests; gives how many these are."""
        keys = self.accept(self.evaluate())
        for key in keys:
            self.run(key, raise_on_error=False)
        return len(keys)
