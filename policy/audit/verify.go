package audit

// Verification is the outcome of checking a chain of records.
type Verification struct {
	OK bool `json:"ok"`
	// Entries that were found intact, from the first on.
	Entries uint64 `json:"entries"`
	// FirstBad is the sequence at which the first fault shows; 0 when OK.
	FirstBad uint64 `json:"first_bad"`
	// Reason is one sentence for people; empty when OK.
	Reason string `json:"reason"`
	// Head is the hash of the last intact entry; zero when there is none.
	Head Hash `json:"head"`
}
