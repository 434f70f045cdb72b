package redact

import "strings"

// scan is the first pass: it finds the secrets that show by their own form, and reports whether the command holds
// anything that makes a closer reading worth while.
func (f *finder) scan() (more bool) {
	s := f.cmd
	pemDone := 0
	f.rules.literals.scan(s, func(literal uint16, end int) {
		r := &f.rules.roles[literal]
		for _, k := range r.shapes {
			if f.shape(&f.rules.shapes[k], end) == kindAWSAccessKey {
				more = true // its second half shows nothing by itself
			}
		}
		if more && !r.pem && !r.marker {
			return
		}
		switch {
		case r.keyword && nameEnds(s, end):
			more = true
		case r.address:
			more = strings.IndexByte(s[end:min(len(s), end+look)], '@') >= 0
		case r.tool && toolEnds(s, end), r.file:
			more = true
		case r.marker:
			start := end - len(marker)
			if to := markerAt(s, start); to >= 0 {
				f.markers = append(f.markers, span{from: start, to: to})
			}
		case r.pem && end > pemDone:
			pemDone = f.keyFile(end)
		}
	})
	return more
}

// toolEnds reports that a name of a tool which ends before s[i] is the end of its word.
func toolEnds(s string, i int) bool {
	return i >= len(s) || strings.IndexByte(" \t\r\n\\\"';|&)<>`", s[i]) >= 0
}

// nameEnds reports that the name which holds the keyword that ended at i is followed by something that can join it to
// a value. It saves the closer reading for most file names and words that merely contain a keyword.
func nameEnds(s string, i int) bool {
	limit := min(len(s), i+maxName)
	for i < limit && is(s[i], setIdent) {
		i++
	}
	if i >= len(s)-1 {
		return false
	}
	switch s[i] {
	case '+':
		return s[i+1] == '='
	case '(':
		return s[i+1] == '\'' || s[i+1] == '"' || s[i+1] == '\\'
	case '=', ':', '"', '\'', '>', '\\', ' ', '\t', ']', '\n':
		return true
	}
	return i == limit
}

// shape checks the neighbourhood of an anchor that ended at end, and returns the kind of the secret there, or "".
func (f *finder) shape(r *compiledShape, end int) string {
	s := f.cmd
	anchor := end - len(r.anchor)
	if s[anchor:end] != r.anchor {
		return ""
	}
	from := matchBack(r.head, s, anchor)
	if from < 0 || !r.keep && !startsToken(s, from) && (r.after == "" || !strings.HasSuffix(s[:from], r.after)) {
		return ""
	}
	to := match(r.tail, s, end)
	if to < 0 || to < len(s) && is(s[to], setWord) {
		return ""
	}
	for to > end && s[to-1] == '.' { // the end of a sentence
		to--
	}
	tail := s[end:to]
	if r.mixed && !mixed(tail) || strings.Trim(tail, "xX-_*.") == "" {
		return ""
	}
	if r.keep {
		from = end
	}
	f.spans = append(f.spans, span{from: from, to: to, kind: r.kind, certain: true})
	return r.kind
}

// startsToken reports that nothing before s[i] belongs to the same token. The letter of an escape (\n) and the digits
// of a percent escape (%20) do not.
func startsToken(s string, i int) bool {
	if i == 0 || !is(s[i-1], setWord) {
		return true
	}
	if i >= 2 && s[i-2] == '\\' && strings.IndexByte("nrt", s[i-1]) >= 0 {
		return true
	}
	return i >= 3 && s[i-3] == '%' && is(s[i-2], setAnyHex) && is(s[i-1], setAnyHex)
}

func mixed(s string) bool {
	digit, letter := false, false
	for i := range len(s) {
		if is(s[i], setDigit) {
			digit = true
		} else if is(s[i], setAlnum) {
			letter = true
		}
	}
	return digit && letter
}

// keyFile looks at a private key whose opening text ended at end, and returns how far it looked.
func (f *finder) keyFile(end int) int {
	s := f.cmd
	if strings.HasSuffix(strings.ToLower(s[:end]), "putty-user-key-file-") {
		return f.puttyKey(end)
	}
	from := end - len("-----begin ")
	head := s[end:min(len(s), end+64)]
	dashes := strings.Index(head, "-----")
	if dashes < 0 || !strings.Contains(head[:dashes], "PRIVATE KEY") {
		return end
	}
	i := end + dashes + len("-----")
	body, begin := 0, i
	for i < len(s) && (is(s[i], setB64|setSpace) || strings.IndexByte(`\:,-.()`, s[i]) >= 0) {
		if strings.HasPrefix(s[i:], "-----END") {
			break
		}
		if is(s[i], setAlnum) {
			body++
		}
		i++
	}
	if body < 24 || strings.Trim(s[begin:i], "xX.- \\nr\n\t") == "" {
		return i
	}
	to := i
	if strings.HasPrefix(s[i:], "-----END") {
		rest := s[i+len("-----END") : min(len(s), i+80)]
		if k := strings.Index(rest, "-----"); k >= 0 {
			to = i + len("-----END") + k + len("-----")
		}
	} else {
		for to > begin && (is(s[to-1], setSpace) || s[to-1] == '\\') {
			to--
		}
	}
	f.spans = append(f.spans, span{from: from, to: to, kind: kindPrivateKey, certain: true})
	return to
}

// puttyKey takes the part behind "Private-Lines:".
func (f *finder) puttyKey(end int) int {
	s := f.cmd
	const lines = "Private-Lines:"
	limit := min(len(s), end+1<<16)
	k := strings.Index(s[end:limit], lines)
	if k < 0 {
		return limit
	}
	i := end + k + len(lines)
	for i < len(s) && (s[i] == ' ' || is(s[i], setDigit)) {
		i++
	}
	from := i
	for i < len(s) && (is(s[i], setB64|setSpace) || s[i] == '\\') {
		if strings.HasPrefix(s[i:], "Private-MAC") {
			break
		}
		i++
	}
	to := i
	for to > from && (is(s[to-1], setSpace) || s[to-1] == '\\') {
		to--
	}
	for from < to && (is(s[from], setSpace)) {
		from++
	}
	if to-from >= 24 {
		f.spans = append(f.spans, span{from: from, to: to, kind: kindPrivateKey, certain: true})
	}
	return i
}
