package observer

import "time"

// Status is a snapshot for health reports.
type Status struct {
	PendingFiles int       // spool files with something that is not stored yet
	PendingBytes int64     // what is not stored of them
	Stored       uint64    // events since the start
	Ignored      uint64    // commands that a filter or a pause kept out since the start, as far as they reached the observer
	Torn         int       // pieces in the folder torn/
	LastEvent    time.Time // time of the youngest event stored since the start; zero: none
	Watching     bool      // the system tells of changes; false: the folder is looked at every Poll
	Error        string    // why the last round failed; empty when it did not
	ErrorSince   time.Time // of the first failure in a row; zero when the last round succeeded
}

// Status returns the present state. It is safe for concurrent use and does no input or output.
func (o *Observer) Status() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.status
	s.Ignored = o.preparer.ignored.Load()
	return s
}

func (o *Observer) update(f func(*Status)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(&o.status)
}
