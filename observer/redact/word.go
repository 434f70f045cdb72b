package redact

import "sort"

// source is a text that is read as shell: the command itself, or the decoded text of a quoted word or a here-document
// inside it (`bash -c "…"`).
type source struct {
	text   string
	parent *word // nil for the command itself
	depth  int
	runs   bool // certainly a command, not prose or data that may only look like one
}

// form says how a part of a word was written.
type form uint8

const (
	formBare    form = iota
	formSingle       // '…' and $'…'
	formDouble       // "…"
	formLive         // $x, ${x}, $(x), `x`: its value is not in the text
	formBody         // the body of a here-document
	formComment      // behind #
)

// word is one shell word: what it means (text) and where each byte of that was written.
type word struct {
	src      *source
	from, to int    // in src.text, with quotation marks
	text     string // quotes and escapes taken off; expansions as written
	// segs is nil when text is src.text[from:to].
	segs []segment
	// form of a word without segments.
	form form
}

// segment is a run of a word's text that was written in one way.
type segment struct {
	at          int // first byte, in word.text
	length      int // in word.text
	from, to    int // in src.text; an escape is longer there than in the text
	form        form
	open, close int // the quotation around it in src.text, marks included; from and to when bare
}

// segment returns the one that holds the byte i of the text.
func (w *word) segment(i int) *segment {
	if k := w.segmentIndex(i); k < len(w.segs) {
		return &w.segs[k]
	}
	return nil
}

func (w *word) segmentIndex(i int) int {
	return sort.Search(len(w.segs), func(k int) bool { return w.segs[k].at+w.segs[k].length > i })
}

// origin maps text[from:to], which is not empty, to src.text. Where the two ends were written in different quotations
// the whole of these quotations is taken, so that replacing it leaves the rest of the line as it was parsed.
func (w *word) origin(from, to int) (int, int) {
	if w.segs == nil {
		return w.from + from, w.from + to
	}
	a, b := w.segment(from), w.segment(to-1)
	if a == nil || b == nil {
		return w.from, w.to
	}
	start, end := a.from, b.to
	if a.to-a.from == a.length {
		start = a.from + from - a.at
	}
	if b.to-b.from == b.length {
		end = b.from + to - b.at
	}
	if a.open != b.open {
		if a.open < a.from {
			start = a.open
		}
		if b.close > b.to {
			end = b.close
		}
	}
	return start, end
}

// quotedEnd returns where the quotation ends that opens right before the byte i of the text, or 0.
func (w *word) quotedEnd(i int) int {
	k := w.segmentIndex(i)
	if i == 0 || k >= len(w.segs) || w.segs[k].at != i || w.segs[k].open == w.segs[k-1].open || w.segs[k].form != formSingle && w.segs[k].form != formDouble {
		return 0
	}
	first := w.segs[k].open
	for k < len(w.segs) && w.segs[k].open == first {
		i = w.segs[k].at + w.segs[k].length
		k++
	}
	return i
}

// tail returns the part of the word behind the byte i of its text as a word of its own.
func (w *word) tail(i int) word {
	t := *w
	t.text = w.text[i:]
	if w.segs == nil {
		t.from += i
		return t
	}
	t.segs = nil
	for _, s := range w.segs[w.segmentIndex(i):] {
		if cut := i - s.at; cut > 0 {
			if s.to-s.from == s.length {
				s.from += cut
			}
			s.length -= cut
			s.at = i
		}
		s.at -= i
		t.segs = append(t.segs, s)
	}
	return t
}

// live reports whether the byte i of the text belongs to an expansion that the shell replaces.
func (w *word) live(i int) bool {
	if w.segs == nil {
		return w.form == formLive
	}
	s := w.segment(i)
	return s != nil && s.form == formLive
}

// formAt says how the byte i was written.
func (w *word) formAt(i int) form {
	if w.segs == nil {
		return w.form
	}
	if s := w.segment(i); s != nil {
		return s.form
	}
	return formBare
}

// data reports whether the word was quoted as a whole, or is a body or a comment: a text rather than an argument.
func (w *word) data() bool {
	if w.segs == nil {
		return w.form != formBare && w.form != formLive
	}
	return len(w.segs) > 0 && (w.segs[0].form == formSingle || w.segs[0].form == formDouble)
}
