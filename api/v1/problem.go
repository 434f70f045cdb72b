package v1

// ProblemMediaType is the media type of [Problem].
const ProblemMediaType = "application/problem+json"

// Problem is an RFC 9457 problem document: the body of every answer that is not a success.
type Problem struct {
	Type   string         `json:"type,omitempty" doc:"absent: about:blank"`
	Title  string         `json:"title" doc:"the kind of problem in a few words, the same for every occurrence"`
	Status int            `json:"status" doc:"the HTTP status"`
	Detail string         `json:"detail,omitempty" doc:"one sentence about this occurrence, which says what to do"`
	Errors []ProblemField `json:"errors,omitempty" doc:"what is wrong with which part of the request"`
}

// ProblemField names one wrong part of a request.
type ProblemField struct {
	Location string `json:"location,omitempty" example:"query.limit"`
	Message  string `json:"message"`
}
