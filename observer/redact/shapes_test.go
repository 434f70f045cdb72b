package redact

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// pieceText makes a text that a compiled pattern matches, of the least length or, where it is open, a little more.
func pieceText(r *rand.Rand, pieces []piece, more int) string {
	var out strings.Builder
	for _, p := range pieces {
		if p.set == 0 {
			out.WriteByte(p.lit)
			continue
		}
		n := min(p.min+more, p.max)
		var chars []byte
		for b := range 128 {
			if is(byte(b), p.set) && b != '.' && b != '=' {
				chars = append(chars, byte(b))
			}
		}
		b := make([]byte, 0, n)
		for _, c := range []byte("7a") { // what mixed asks for
			if len(b) < n && is(c, p.set) {
				b = append(b, c)
			}
		}
		for len(b) < n {
			b = append(b, chars[r.IntN(len(chars))])
		}
		out.Write(b)
	}
	return out.String()
}

// contexts are commands in which a secret is to be found by its form alone.
var contexts = []string{"echo %", "echo '%' > f", `echo "a %"`, "git commit -m 'remove %'", "./run %", "./run --x=%", "x=% ./run",
	"curl https://example.com/%/x", "curl 'https://example.com/?x=%&y=1'", "cat <<EOF\nx %\nEOF", `echo '{"x":"%"}'`, "# %", "grep -r % .", "./run 'unclosed %",
	"printf 'a\\n%\\n'", "echo (%); ls"}

func TestEachShapeIsFoundWhereverItStands(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range theRules().shapes {
		for i, context := range contexts {
			before := ""
			if s.keep && strings.HasPrefix(s.anchor, "hooks.") {
				before = "https://"
			}
			head, tail := pieceText(r, s.head, i%2), pieceText(r, s.tail, i%3)
			secret := head + s.anchor + tail
			cmd := strings.Replace(context, "%", before+secret, 1)
			clean, kinds := Redact(cmd)
			if !slices.Contains(kinds, s.kind) || strings.Contains(clean, tail) || head != "" && strings.Contains(clean, head) {
				t.Errorf("%s %q: %q became %q %v", s.kind, s.anchor, cmd, clean, kinds)
			}
			checkPromises(t, cmd)
		}
	}
}

func TestAnchorsAloneAndShortTokensStay(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	sharing := map[string]int{} // rules by anchor: what is short for one may do for another
	for _, s := range shapes {
		sharing[s.anchor]++
	}
	for _, s := range theRules().shapes {
		last := s.tail[len(s.tail)-1]
		short := ""
		if last.set != 0 && last.min > 8 && sharing[s.anchor] == 1 {
			short = pieceText(r, s.tail[:len(s.tail)-1], 0) + strings.Repeat("a", last.min/3)
		}
		for _, token := range []string{s.anchor, s.anchor + "x", s.anchor + "example", s.anchor + short} {
			for _, context := range []string{"echo %", "ls %.txt", "grep -r '%' .", "git checkout -b x/%", "vim %"} {
				cmd := strings.Replace(context, "%", token, 1)
				if clean, kinds := Redact(cmd); kinds != nil {
					t.Errorf("%s: %q became %q %v", s.anchor, cmd, clean, kinds)
				}
			}
		}
	}
}

func TestPlaceholdersOfTokensStay(t *testing.T) {
	for _, token := range []string{"ghp_" + strings.Repeat("x", 36), "AKIA" + strings.Repeat("X", 16), "sk-" + strings.Repeat("x", 48),
		"glpat-" + strings.Repeat("x", 20), "hf_" + strings.Repeat("x", 34), "SG." + strings.Repeat("x", 22) + "." + strings.Repeat("x", 43)} {
		for _, context := range []string{"echo %", "export GITHUB_TOKEN=%", "curl -H 'Authorization: Bearer %' https://example.com"} {
			cmd := strings.Replace(context, "%", token, 1)
			if clean, kinds := Redact(cmd); kinds != nil && !strings.Contains(cmd, "SG.") {
				t.Errorf("%q became %q %v", cmd, clean, kinds)
			}
		}
	}
}

func TestAShapeInsideALongerTokenIsNotTakenForIt(t *testing.T) {
	for _, s := range []string{"QUtJQUFLSUF" + "AKIA0123456789ABCDEF" + "xyz", "prefix" + "AIza" + strings.Repeat("a", 35),
		strings.Repeat("a", 40) + "SK" + strings.Repeat("0", 32), "disk-" + strings.Repeat("a1", 20), "xpat" + strings.Repeat("a", 14) + "." + strings.Repeat("0", 64)} {
		if clean, kinds := Redact("echo " + s); kinds != nil {
			t.Errorf("%q became %q %v", s, clean, kinds)
		}
	}
}

func TestEveryKindIsDescribedAndUsedAndEveryRuleHasAKnownKind(t *testing.T) {
	used := map[string]bool{kindPassword: true, kindSecret: true, kindToken: true, kindAPIKey: true, kindAuthorization: true, kindCookie: true,
		kindSignature: true, kindURLPassword: true, kindPrivateKey: true, kindAWSSecretKey: true}
	check := func(kind string) {
		if !kindNames()[kind] {
			t.Errorf("kind %q is not described", kind)
		}
		used[kind] = true
	}
	for _, s := range shapes {
		check(s.kind)
	}
	for _, rs := range theRules().tools {
		for _, r := range rs {
			check(r.kind)
		}
	}
	for _, r := range feeds {
		if r.kind != "" {
			check(r.kind)
		}
	}
	last := ""
	for _, k := range Kinds() {
		if k.Name <= last {
			t.Errorf("kind %q is not in order", k.Name)
		}
		last = k.Name
		if !used[k.Name] {
			t.Errorf("no rule finds kind %q", k.Name)
		}
		if k.Meaning == "" || !strings.HasSuffix(k.Meaning, ".") || strings.Trim(k.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("kind %+v is badly described", k)
		}
		if len(marker)+len(k.Name) > 27 {
			t.Errorf("kind %q is so long that the bound on growth does not hold", k.Name)
		}
	}
	Kinds()[0].Name = "changed"
	if Kinds()[0].Name == "changed" {
		t.Error("the caller can change the table of kinds")
	}
}

func TestNamesAreJudgedByTheirLastWord(t *testing.T) {
	for _, c := range []struct {
		class class
		names string
	}{
		{classPassword, `password PASSWORD DB_PASSWORD dbPassword userPass --password --db-passwd -pass PGPASSWORD MYSQL_PWD spring.datasource.password
			passphrase BORG_PASSPHRASE PASSWORD2 DB_PASSWORD_PROD password_hash wifi-sec.psk MNEMONIC -DdbPassword`},
		{classToken, `token TOKEN GITHUB_TOKEN accessToken --auth-token authtoken npmAuthToken _authToken api_key API_KEY apiKey APIKEY --api-key
			client_secret clientSecret JWT_SECRET SECRET_KEY SECRET_KEY_BASE AWS_SECRET_ACCESS_KEY private_key PrivateKey ENCRYPTION_KEY AccountKey
			SharedAccessKey credentials CREDS TOKEN_2 X-Api-Key x-auth-token`},
		{classWeak, `key KEY auth Authorization session sig otp --key SOME_KEY gh_pat`},
		{classQualified, `DB_PASSWORD_MYAPP TOKEN_ACME SECRET_SAUCE`},
		{classNone, `foo PATH HOME keyboard monkey author tokens secrets passwords tokenizer max_token page_token pad-token TOKEN_FILE PASSWORD_FILE
			KEY_ID SECRET_NAME token_url PASSWORD_MIN_LENGTH AUTH_TYPE public_key primaryKey sort-key compass bypass
			SSH_AUTH_SOCK GIT_ASKPASS existingSecret client_id password_field user.signingkey passing`},
	} {
		for _, n := range strings.Fields(c.names) {
			if got := classify(n).class; got != c.class {
				t.Errorf("classify(%q) is %d, not %d", n, got, c.class)
			}
		}
	}
	for n, toggle := range map[string]bool{"--no-password": true, "--show-token": true, "--with-token": true, "--password": false, "--db-password": false} {
		if classify(n).toggle != toggle {
			t.Errorf("classify(%q).toggle is not %v", n, toggle)
		}
	}
}

func TestRandomTextIsToldFromNamesAndNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	hits := 0
	for i := range 1000 {
		if looksRandom(random(r, "ahd"[i%3], 24+i%30)) {
			hits++
		}
	}
	if hits < 900 {
		t.Errorf("only %d of 1000 random texts look random", hits)
	}
	for _, s := range []string{"my-long-feature-branch-name", "2024-01-01T12:00:00Z", "release-2024.01.15", "192.168.100.200:8080", "MyKubernetesCluster2024Prod",
		"org.springframework.boot.autoconfigure", "node_modules/.bin/webpack", "550e8400-e29b-41d4-a716-446655440000", "aaaaaaaaaaaaaaaaaaaaaaaa",
		"1234567890123456789012", "thisisaverylongwordwithoutanybreak", "v1.2.3-rc.4+build.5678", "us-east-1.console.aws.amazon.com", "com.example.MyApplication.Main",
		"/usr/local/lib/python3.11/site-packages", "ubuntu-22.04-server-amd64", "deployment/frontend-service"} {
		if looksRandom(s) {
			t.Errorf("%q looks random", s)
		}
	}
}

// Deep and broken texts have an answer as well.
func TestBrokenAndDeepTextsAreRead(t *testing.T) {
	for _, open := range []string{"$(", "`", "${", "(", "\"$(", "'", "\"", "<<EOF\n", "bash -c \"", "${x:-$("} {
		for _, n := range []int{1, 5, 50, 5000} {
			cmd := strings.Repeat(open, n) + " mysql -phunter2 DB_PASSWORD=hunter2 "
			checkPromises(t, cmd)
			if clean, _ := Redact(cmd); n == 1 && strings.Contains(clean, "hunter2") {
				t.Errorf("%q became %q", cmd, clean)
			}
		}
	}
}

func TestInvalidUTF8IsKept(t *testing.T) {
	const junk = "\xff\xfe\x80 \xc3("
	for _, s := range []string{junk, "echo " + junk + " DB_PASSWORD=hunter2 " + junk, junk + "mysql -phunter2" + "\n" + junk} {
		clean, _ := Redact(s)
		if strings.Count(clean, junk) != strings.Count(s, junk) || strings.Contains(clean, "hunter2") {
			t.Errorf("%q became %q", s, clean)
		}
	}
}

// A value longer than what is looked at closely is replaced to its end.
func TestLongSecretsAreReplacedToTheirEnd(t *testing.T) {
	long := strings.Repeat("aB3", 50_000)
	for _, cmd := range []string{"export DB_PASSWORD=%", "./run --token=%", "curl -H 'Authorization: Bearer %' https://example.com", `curl -d '{"password":"%"}' https://example.com`,
		"curl 'https://example.com/?x=1&api_key=%&y=2'", "cat > .env <<EOF\nDB_PASSWORD=%\nEOF", "mysql -p%"} {
		clean, kinds := Redact(strings.Replace(cmd, "%", long, 1))
		if len(kinds) != 1 || len(clean) > len(cmd)+40 {
			t.Errorf("%q: %d bytes are left, kinds %v", cmd, len(clean), kinds)
		}
	}
}

func ExampleRedact() {
	clean, kinds := Redact("mysql -u root -phunter2 app")
	fmt.Println(clean, kinds)
	// Output: mysql -u root -pREDACTED:password app [password]
}
