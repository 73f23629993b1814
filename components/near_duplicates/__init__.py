"""NearDuplicateFilter: finds the source images that equal, or nearly equal, an image of a target."""
