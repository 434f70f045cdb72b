package aggregate

import (
	"cmp"
	"slices"

	"github.com/caro-mesh/caro-node/protocol"
)

// Percent returns part of whole in percent, 0..100, and 0 when whole is 0.
func Percent(part, whole uint64) float64 { return 100 * protocol.Ratio(part, whole) }

// Normalise scales counts to 0..1, so that the largest becomes 1; all zero stays zero.
func Normalise(counts []uint64) []float64 {
	out := make([]float64, len(counts))
	var top uint64
	for _, n := range counts {
		top = max(top, n)
	}
	for i, n := range counts {
		out[i] = protocol.Ratio(n, top)
	}
	return out
}

// Peaks returns the indexes whose count is at least 80 % of the largest, that one first; none when all are zero.
func Peaks(counts []uint64) []int {
	peaks := []int{}
	for i, v := range Normalise(counts) {
		if v >= 0.8 {
			peaks = append(peaks, i)
		}
	}
	slices.SortStableFunc(peaks, func(a, b int) int { return cmp.Compare(counts[b], counts[a]) })
	return peaks
}
