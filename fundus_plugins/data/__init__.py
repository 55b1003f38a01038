"""Data: COCO JSON, converters of public data sets, and phantom photographs."""
