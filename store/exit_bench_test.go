package store

import "testing"

// BenchmarkMillionByExitCode reads a store of 1,000,000 events whose segments hold only whether a command failed.
func BenchmarkMillionByExitCode(b *testing.B) {
	s := filled(b)
	for name, code := range map[string]int{"a frequent one": 1, "success": 0, "one that does not occur": 99} {
		b.Run(name+", goal 100 ms", func(b *testing.B) {
			found := 0
			for b.Loop() {
				list, _, err := s.Events(b.Context(), EventFilter{ExitCode: &code})
				check(b, err)
				found = len(list)
			}
			b.ReportMetric(float64(found), "found")
		})
	}
}
