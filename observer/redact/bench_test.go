package redact

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkHarmless(b *testing.B) {
	for _, cmd := range []string{
		"ls -la",
		"git commit -m 'Fix the parser for long lines'",
		"cd ~/projects/app && make -j8 test",
		"docker compose up -d web worker",
		"kubectl get pods -n prod -o wide --watch",
		"vim src/components/Header.tsx",
		"curl -sSL https://example.com/install.sh -o install.sh",
		"ssh -p 22 anna@host.example.com uptime",
	} {
		b.Run(strings.Fields(cmd)[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Redact(cmd)
			}
		})
	}
}

func BenchmarkSecret(b *testing.B) {
	for _, cmd := range []string{
		"mysql -u root -phunter2 app",
		`curl -H "Authorization: Bearer hunter2" https://example.com`,
		"export DB_PASSWORD=hunter2",
	} {
		b.Run(strings.Fields(cmd)[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Redact(cmd)
			}
		})
	}
}

// hostile are texts that a careless rule would read again and again.
var hostile = []string{"key=", "token ", "password=", "://", "://a:b/", "://a:b@", "-----BEGIN PRIVATE KEY-----", "$(", "`", "${", "((", "'", "\"",
	"\\", "\"$(", "<<A\n", "<<<", "mysql -p ", "echo a | ", "a=b ", "key='", "key=\"", "token:\"", "\\\"key\\\":\\\"", "eyJ", "eyJa.eyJ", "AKIA", "s.", ":AA",
	"--token ", "PuTTY-User-Key-File-", "REDACTED:token", "${TOKEN:-", "k\\ey=", "'key='", "curl -u a: ", "sudo ", "docker exec ", "find -exec ",
	"identified by ", "password 'x ", "expect assword send ", "Authorization: ", "-H ", "$(echo ", "bash -c '", "\n", "# token=", "a@b:", "xx--", "key=a,",
	"printf token=%s a ", "token=%s", "password('a1", "alias a='", "user a b\\n", "password={{ 'a", "a[password]=b ", "key=a\\nb", "set password for = 'x"}

func BenchmarkMegabyte(b *testing.B) {
	for _, unit := range append([]string{"ls -la; "}, hostile...) {
		// The end makes sure that the text is read closely.
		cmd := strings.Repeat(unit, 1<<20/len(unit)) + " PASSWORD=hunter2 mysql -phunter2"
		b.Run(fmt.Sprintf("%.14q", unit), func(b *testing.B) {
			b.SetBytes(int64(len(cmd)))
			for b.Loop() {
				Redact(cmd)
			}
		})
	}
}
