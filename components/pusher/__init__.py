"""Pusher: a blessed SavedModel into the folder of a model server, whole or not at all."""
