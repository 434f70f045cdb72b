package redact

import "strings"

// addresses marks the secrets in the user part of web addresses: scheme://user:secret@host and scheme://token@host.
func (f *finder) addresses(w *word) {
	text := w.text
	for i := 0; ; {
		k := strings.Index(text[i:], "://")
		if k < 0 {
			return
		}
		i += k + len("://")
		f.address(w, i, hasPath(text[:i-len("://")]))
	}
}

// hasPath reports that the scheme at the end of s is one of those whose addresses go on with a path in which an @ is
// nothing unusual. With other schemes (databases, queues) everything up to the last @ is taken as the user part, because
// passwords with a slash are pasted into them unescaped.
func hasPath(s string) bool {
	for _, scheme := range []string{"http", "https", "ftp", "sftp", "ssh", "git", "file", "ws", "wss", "socks5", "socks5h", "docker", "oci"} {
		if strings.HasSuffix(s, scheme) && (len(s) == len(scheme) || !is(s[len(s)-len(scheme)-1], setAlnum)) {
			return true
		}
	}
	return false
}

// maxUserPart bounds the user part of an address.
const maxUserPart = 512

// address looks at the authority that begins at from.
func (f *finder) address(w *word, from int, hasPath bool) {
	text := w.text[:min(len(w.text), from+maxUserPart)]
	path := until(text, from, stopsHost, 0)
	at := strings.LastIndexByte(text[from:path], '@')
	if (at < 0 || !hasPath) && path < len(text) && text[path] == '/' {
		// A password with a slash in it: everything to the last @, unless what stands behind the colon is a port.
		colon := strings.IndexByte(text[from:path], ':')
		switch {
		case colon >= 0 && !isDigits(text[from+colon+1:path]) && text[from+colon+1] != '{':
			at = strings.LastIndexByte(text[from:until(text, path, stopsPath, 0)], '@')
		case at < 0:
			return
		}
	}
	if at <= 0 {
		return
	}
	at += from
	user := from
	if m := markerAt(text, from); m >= 0 {
		user = m
	}
	colon := -1
	for k := user; k < at; k++ {
		if text[k] == ':' && !w.live(k) {
			colon = k
			break
		}
	}
	if colon < 0 || colon+1 == at || plainUsers.Has(text[colon+1:at]) {
		stop := at
		if colon >= 0 {
			stop = colon
		}
		if user == from && looksRandom(text[from:stop]) {
			f.mark(w, from, stop, kindURLPassword)
		}
		return
	}
	if w.secret(colon+1, at, classToken, placeSure, ':', true) {
		f.mark(w, colon+1, at, kindURLPassword)
	}
}

func isDigits(s string) bool {
	for i := range len(s) {
		if !is(s[i], setDigit) {
			return false
		}
	}
	return true
}
