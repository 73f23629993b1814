"""NearDuplicateFilter: which images of the source equal, or nearly equal, an image of a target."""
