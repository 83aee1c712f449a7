"""Writes the list of all flags, by which commands check theirs at once.

`make flags` runs it, after a configuration has changed.
"""

from lebm_tf import evaluate, export, long_chains, publish, report, train
from lebm_tf.configuration import command, fields, listing
from lebm_tf.configuration.sample import SampleConfig
from lebm_tf.configuration.shift import ShiftConfig
from lebm_tf.datasets.loading import names
from lebm_tf.evaluation import EVALUATORS
from lebm_tf.families import FAMILIES


def collect() -> listing.Listing:
    """The list that the configurations make now."""
    commands = {
        "train": train.all_fields(), "evaluate": evaluate.all_fields(),
        "sample": fields.fields(SampleConfig),
        "report": fields.fields(report.ReportConfig),
        "export": export.all_fields(),
        "publish": fields.fields(publish.PublishConfig),
        "shift": fields.fields(ShiftConfig),
        "mcmc": fields.fields(long_chains.LongChainsConfig)}
    return listing.Listing(
        commands, list(FAMILIES), list(EVALUATORS), list(names()))


def main() -> None:
    """Writes the list and says where it is."""
    listing.write(collect())
    command.say(f"Wrote {listing.PATH}.")


if __name__ == "__main__":
    main()
