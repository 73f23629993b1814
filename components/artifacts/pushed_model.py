"""What the Pusher says of a model: the custom properties of a PushedModel. Pure.

TFX's own `pushed` and `pushed_destination` are there, too.
"""

NOT_COMPARED = "not_compared"  # why it was not compared with what is served
SERVED_INSTEAD = "served_instead"  # the folder of the version that is served, if it was not pushed because of that one
ROLLED_BACK = "rolled_back"  # the folder of its own version, if somebody removed it and serves another
SERVED_BY = "served_by"  # the full name of the endpoint that serves the newest version
