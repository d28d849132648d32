"""Code that tests share: models, data, tables of the public classes and operations, error bounds, helpers."""
