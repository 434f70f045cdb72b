// Package config finds and reads the node's settings: defaults, then config.toml, then CARO_* environment variables,
// then flags. Scalars go through viper; the whole file is also decoded strictly, so that an unknown or misspelt key is
// an error with its line, and node IDs (which viper would lower-case) never pass through viper at all.
package config
