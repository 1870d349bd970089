"""The settings of a show: options, live controls, their validation, the command line and the TOML file."""
