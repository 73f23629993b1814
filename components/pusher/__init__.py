"""Pusher: copies a blessed SavedModel to the folder of a model server, completely or not at all."""
