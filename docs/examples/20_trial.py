from acreline.config import find_config, read_settings
from acreline.model.card import ModelSettings

recipe = read_settings(ModelSettings, find_config("models", "acrenet-xs")).recipe
print(", ".join(recipe))


def train(out):
    """Some steps in place of thousands: a trial of the way, no good model."""
    return al.train_model({**recipe, "steps": 20}, out, name="acrenet-xs")
