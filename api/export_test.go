package api

import "time"

// SetGrace shortens the time that requests have left when the server is stopped.
func (s *Server) SetGrace(d time.Duration) { s.grace = d }
