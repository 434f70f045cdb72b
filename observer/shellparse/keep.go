package shellparse

import (
	"strings"
)

// keep remembers the files that a command writes, so that running them later in the line can be judged.
func (w *walker) keep(i int, out Source) {
	r := &w.cmd.Runs[i]
	from := Source{From: []int{i}}
	switch r.Name {
	case "tee":
		for _, a := range r.Args {
			if !strings.HasPrefix(a.Text, "-") {
				w.write(a.Text, out, r.Has("-a"))
				w.plant(i, a.Text, out)
				r = &w.cmd.Runs[i]
			}
		}
	case "curl", "wget", "fetch", "aria2c", "http", "axel", "ftp", "Invoke-WebRequest", "iwr":
		w.download(r, from)
	case "scp", "rsync", "tftp":
		w.brought(r, from)
	case "tar", "bsdtar", "gtar", "unzip", "cpio", "7z", "gunzip", "unxz":
		w.unpacked(r)
	case "base64", "openssl", "xxd", "gpg", "dd":
		w.decodedFile(r, out)
	}
}

// brought remembers the file that scp, rsync or tftp copied from another machine.
func (w *walker) brought(r *Run, from Source) {
	name := ""
	for j, a := range r.Args {
		switch t := a.Text; {
		case r.Name == "tftp" && (t == "-r" || t == "-l") && j+1 < len(r.Args):
			w.write(r.Args[j+1].Text, from, false)
		case strings.HasPrefix(t, "-"):
		case strings.Contains(t, ":"):
			name = t[strings.LastIndexAny(t, ":/")+1:]
		case name != "":
			if t == "." || strings.HasSuffix(t, "/") {
				t = strings.TrimSuffix(t, "/") + "/" + name
			}
			w.write(strings.TrimPrefix(t, "./"), from, false)
		}
	}
}

// unpacked remembers that a folder holds what came out of an archive that the line fetched.
func (w *walker) unpacked(r *Run) {
	src := Source{From: r.Stdin.From}
	folder := "."
	for j, a := range r.Args {
		if f := w.file(a.Text); f != nil && len(f.content.From) > 0 {
			src.From = append(src.From[:len(src.From):len(src.From)], f.content.From...)
		}
		switch t := a.Text; {
		case (t == "-C" || t == "-d" || t == "--directory") && j+1 < len(r.Args):
			folder = r.Args[j+1].Text
		case strings.HasPrefix(t, "--directory="):
			folder = t[len("--directory="):]
		}
	}
	if len(src.From) > 0 {
		w.write(strings.TrimSuffix(folder, "/")+"/*", src, false)
	}
}

// decodedFile remembers the file that a decoder writes by itself: openssl -out, dd of=.
func (w *walker) decodedFile(r *Run, out Source) {
	for j, a := range r.Args {
		if v, ok := strings.CutPrefix(a.Text, "of="); ok && r.Name == "dd" {
			w.write(v, out, false)
		}
		if (a.Text == "-out" || a.Text == "-o" || a.Text == "--output") && r.Name != "dd" && j+1 < len(r.Args) {
			w.write(r.Args[j+1].Text, out, false)
		}
	}
}

func (w *walker) download(r *Run, from Source) {
	for j, a := range r.Args {
		t := a.Text
		switch {
		case strings.HasPrefix(t, "--output=") || strings.HasPrefix(t, "--output-document="):
			_, v, _ := strings.Cut(t, "=")
			w.write(v, from, false)
		case (t == "--output" || t == "--output-document") && j+1 < len(r.Args):
			w.write(r.Args[j+1].Text, from, false)
		case len(t) > 1 && t[0] == '-' && t[1] != '-' && (r.Name == "wget" && strings.HasSuffix(t, "O") ||
			r.Name != "wget" && strings.HasSuffix(t, "o")) && j+1 < len(r.Args):
			w.write(r.Args[j+1].Text, from, false)
		case len(t) > 2 && (strings.HasPrefix(t, "-o") && r.Name != "wget" || strings.HasPrefix(t, "-O") &&
			r.Name == "wget"):
			w.write(t[2:], from, false)
		case (t == "-P" || t == "--output-dir" || t == "--directory-prefix") && j+1 < len(r.Args):
			w.write(strings.TrimSuffix(r.Args[j+1].Text, "/")+"/*", from, false)
		case strings.Contains(t, "/") && t[0] != '-':
			name := t[strings.LastIndexByte(t, '/')+1:]
			if q := strings.IndexByte(name, '?'); q >= 0 {
				name = name[:q]
			}
			w.write(name, from, false)
		}
	}
}
