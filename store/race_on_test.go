//go:build race

package store

// The race detector makes SQLite some fifteen times slower.
const raceDetector = true
