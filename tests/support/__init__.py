"""What tests share: models, data, tables of what the package has, error bounds, and helpers to run programs."""
