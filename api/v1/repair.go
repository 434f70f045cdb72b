package v1

import "time"

// Repair tells how the present database took the place of another file.
type Repair struct {
	At       time.Time   `json:"at"`
	Reason   string      `json:"reason" doc:"what was wrong with the file before"`
	KeptAs   string      `json:"kept_as" doc:"path of the file that was there before; while it exists, the repair is told"`
	Restored bool        `json:"restored" doc:"a backup took the place of a database, by its user's wish"`
	Parts    []SavedPart `json:"parts" doc:"each kind of content"`
	Text     string      `json:"text" doc:"the same as one sentence"`
}

// SavedPart counts one kind of content.
type SavedPart struct {
	Name      string `json:"name" doc:"in the plural, such as commands"`
	Saved     int64  `json:"saved"`
	Lost      int64  `json:"lost" doc:"as far as what was left tells"`
	Uncounted bool   `json:"uncounted" doc:"more may be lost than can be counted"`
}
