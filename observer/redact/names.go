package redact

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// class says what the name in front of a value promises about the value.
type class uint8

const (
	classNone      class = iota
	classWeak            // "key", "auth", "session": a secret only if the value looks like one
	classQualified       // a secret word that is not the last: DB_PASSWORD_MYAPP, TOKEN_X
	classToken           // machine-made: token, api_key, client_secret
	classPassword        // chosen by people: password, passphrase
)

// keywords are the texts by which the names of secrets are found: each name in the lists below holds one of them. The
// last is SQL's IDENTIFIED BY.
var keywords = []string{"pass", "pwd", "pw", "psk", "mnemonic", "kennwort", "senha", "token", "secret", "cred", "key",
	"auth", "bearer", "cookie", "jwt", "sess", "sig", "otp", "csrf", "xsrf", "hmac", "pat", "salt",
	"identified"}

var (
	passwordWords = wordset.Of(`password passwd passphrase passwort passcode pass pwd pw psk presharedkey mnemonic
		kennwort senha storepass keypass requirepass masterauth`)
	passwordEnds  = []string{"password", "passwd", "passphrase", "passwort", "pwd"}
	notPassEnding = wordset.Of(`bypass compass trespass askpass surpass encompass overpass underpass multipass`)

	secretWords = wordset.Of("secret clientsecret appsecret secretid")
	tokenWords  = wordset.Of("token authtoken accesstoken bearer jwt credential credentials creds authkey oauth2bearer")
	tokenEnds   = []string{"token", "secret", "apikey", "secretkey", "accesskey", "privatekey", "encryptionkey", "signingkey",
		"accountkey", "sharedkey", "masterkey", "sharedaccesskey", "credential"}
	weakWords = wordset.Of(`key auth authorization cookie session sessionid sig signature otp totp csrf xsrf hmac pat
		salt authorisation keymaterial`)

	// keyMakers are the words that make a following "key" a secret one.
	keyMakers = wordset.Of(`api access secret private auth encryption encrypt crypt signing master account storage service
		license deploy webhook shared jwt hmac admin root app application session secure subscription authorization
		client developer dev write rest integration consumer user preshared functions function host`)
	// tokenIsNoSecret are the words that make a following "token" harmless: machine learning, paging, parsing.
	tokenIsNoSecret = wordset.Of(`page next starting continuation continue cursor sync fencing pad padding eos bos unk cls sep mask
		special stop start end image lang max min num per total input output new cancel cancellation begin prefix suffix
		trigger audio video eot sot eof word prompt`)
	// secretIsNoSecret are the words that make a following "secret" the name of an object that holds one.
	secretIsNoSecret = wordset.Of(`existing pull tls image mount volume name use create`)
	// keyIsNoSecret are the words that make a following "key" a plain identifier, although "key" alone is weak.
	keyIsNoSecret = wordset.Of(`public pub publishable primary foreign sort partition cache map hash group row object s3 i18n
		translation known socket`)

	// neutral words may follow the secret word without changing anything: PASSWORD_PROD, TOKEN_2, SECRET_KEY_BASE.
	neutral = wordset.Of(`1 2 3 4 5 6 7 8 9 0 prod production dev development test testing staging stage live base64 b64 value plain raw old
		new current primary secondary rw ro hash base text data str string encoded hex v1 v2 main default again confirm
		confirmation repeat`)
	// harmless words behind the secret word make the whole name harmless: PASSWORD_FILE, TOKEN_URL, KEY_ID.
	harmless = wordset.Of(`file files path paths dir dirs directory folder name names id ids url urls uri host port type types ttl
		timeout expiry expire expires expiration exp length len size count limit limits policy algorithm alg algo store
		provider manager enabled enable disabled disable required optional env var variable header field fields endpoint
		issuer audience arn ref version class ring server service prompt command cmd helper lookup cache format scope
		scopes kind label labels group user username owner region location bucket table index column attempts retries
		max min days hours minutes seconds age date created updated rotation rotate generator validator authentication
		callback sock socket program agent source script stdin fd reuse check strength reset page form input link email
		mail template event log level mode map list set num prefix suffix separator usage status state only method methods
		agents plugin plugins backend algorithms renewal refresh lifetime duration skew leeway pair spec schema selector
		options opts config settings vault safe box word words dict char chars count counts per budget window rate
		hostname domain realm title description comment note hint salt rounds iterations cost bits ops repo image tag
		namespace context changed change recovery support keyring chain exchange usages vocabulary vocab
		embeddings embedding tokenizer stream printer color colors theme font style icon button ca cert certificate`)
	// switches in front of the secret word make an option one that takes no value: --no-password, --show-token.
	switches = wordset.Of(`no with without use ask prompt show skip disable enable require print reset rotate allow hide generate
		validate check ignore delete list get export import change force need has is verify revoke expire read keep save disabled enabled expired changed
		store remember clear copy drop create`)
	// exactNames are names whose words alone do not tell that people put a login or a password there.
	exactNames = wordset.Of("_auth rediscli_auth neo4j_auth consul_http_auth nomad_http_auth basic_auth http_basic_auth")
	// plainNames are settings that are given beside a secret, in a place that is for secrets, and are none.
	plainNames = wordset.Of("user username host hostname port database dbname db_host db_port db_user db_name log log_level environment node_env rails_env")
	// exact names that look like secrets and are none.
	harmlessNames = wordset.Of(`user.signingkey ssh_auth_sock ssh_askpass git_askpass sudo_askpass ls_colors
		gpg.key gpg_key gpg_keys signingkey xauthority`)
)

// maxName bounds the length of a name; nobody's settings have longer ones.
const maxName = 96

// name is a setting's name, taken apart.
type name struct {
	class  class
	kind   string
	option bool // written with leading dashes
	toggle bool // an option that says by its name that it takes no value
}

// classify takes a name such as "DB_PASSWORD", "--api-key", "clientSecret" or "user.token" apart and says what its
// value would be.
func classify(ident string) name {
	n := classifyWhole(ident)
	if n.class <= classWeak && len(ident) > 3 && ident[0] == '-' && is(ident[1], setAlnum) && !is(ident[1], setDigit) {
		if m := classifyWhole(ident[2:]); m.class > classWeak { // -DAPI_KEY=x, -ePASSWORD=x
			return m
		}
	}
	return n
}

func classifyWhole(ident string) name {
	var n name
	trimmed := strings.TrimLeft(ident, "-.")
	n.option = strings.HasPrefix(ident, "-")
	trimmed = strings.TrimRight(trimmed, "-._")
	if trimmed == "" || len(trimmed) > maxName {
		return n
	}
	var buf [maxName]byte
	var parts [24]string
	lower := strings.ToLower(trimmed)
	if harmlessNames.Has(lower) {
		return n
	}
	if exactNames.Has(lower) || strings.HasPrefix(lower, "op_session_") {
		return name{class: classToken, kind: kindAuthorization, option: n.option}
	}
	if strings.HasSuffix(lower, "secret.key") { // the key within a secret of Kubernetes
		return name{class: classWeak, kind: kindAPIKey, option: n.option}
	}
	count := splitName(trimmed, &buf, &parts)
	if count == 0 {
		return n
	}
	last := count - 1
	for last > 0 && neutral.Has(parts[last]) {
		last--
	}
	n.class, n.kind = classOf(parts[:last+1])
	if n.class == classNone {
		// A secret word further in front: harmless with a known word behind it, doubtful with an unknown one.
		for k := last - 1; k >= 0; k-- {
			if c, kind := classOf(parts[:k+1]); c > classWeak {
				for _, p := range parts[k+1 : count] {
					if harmless.Has(p) {
						return name{option: n.option}
					}
				}
				n.class, n.kind = classQualified, kind
				break
			}
		}
		if n.class == classNone {
			return n
		}
	}
	for _, p := range parts[:last] {
		if switches.Has(p) && n.option {
			n.toggle = true
		}
	}
	if strings.HasPrefix(lower, "aws") && (strings.Contains(lower, "secret") || strings.Contains(lower, "session")) {
		n.kind = kindAWSSecretKey
	}
	return n
}

// splitName cuts at "_", "-", "." and where the case says so, in lower case.
func splitName(s string, buf *[maxName]byte, parts *[24]string) int {
	count, start := 0, 0
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	low := string(buf[:len(s)])
	cut := func(end int) {
		if end > start && count < len(parts) {
			parts[count] = low[start:end]
			count++
		}
	}
	upper := func(i int) bool { return i < len(s) && 'A' <= s[i] && s[i] <= 'Z' }
	for i := range len(s) {
		if !is(s[i], setAlnum) {
			cut(i)
			start = i + 1
			continue
		}
		// "apiKey" before K; "APIKey" before the K that begins a word; "KEY2" before the digit.
		if i > start && upper(i) && (!upper(i-1) || (i+1 < len(s) && !upper(i+1) && is(s[i+1], setLower) && !is(s[i+1], setDigit))) ||
			i > start && is(s[i], setDigit) && !is(s[i-1], setDigit) {
			cut(i)
			start = i
		}
	}
	cut(len(s))
	return count
}

// classOf judges by the last part and the one before it.
func classOf(parts []string) (class, string) {
	last := parts[len(parts)-1]
	before := ""
	if len(parts) > 1 {
		before = parts[len(parts)-2]
	}
	switch {
	case passwordWords.Has(last), hasEnd(last, passwordEnds):
		if last == "pass" && (before == "by" || before == "multi" || before == "single" || before == "two" || before == "ask") {
			return classNone, ""
		}
		return classPassword, kindPassword
	case strings.HasSuffix(last, "pass") && !notPassEnding.Has(last):
		return classPassword, kindPassword
	case secretWords.Has(last):
		if secretIsNoSecret.Has(before) {
			return classNone, ""
		}
		return classToken, kindSecret
	case last == "token" || strings.HasSuffix(last, "token"):
		if tokenIsNoSecret.Has(before) {
			return classNone, ""
		}
		return classToken, kindToken
	case tokenWords.Has(last):
		return classToken, kindToken
	case last == "id" && before == "secret":
		return classWeak, kindSecret
	case last == "key" && before == "private", last == "privatekey":
		return classToken, kindPrivateKey
	case last == "key" && keyMakers.Has(before):
		return classToken, kindAPIKey
	case hasEnd(last, tokenEnds):
		if strings.HasSuffix(last, "secret") {
			return classToken, kindSecret
		}
		return classToken, kindAPIKey
	case last == "key" && keyIsNoSecret.Has(before):
		return classNone, ""
	case weakWords.Has(last):
		switch last {
		case "authorization", "authorisation", "auth":
			return classWeak, kindAuthorization
		case "cookie", "session", "sessionid":
			return classWeak, kindCookie
		case "sig", "signature", "hmac":
			return classWeak, kindSignature
		case "key":
			return classWeak, kindAPIKey
		}
		return classWeak, kindToken
	}
	return classNone, ""
}

func hasEnd(s string, ends []string) bool {
	for _, e := range ends {
		if strings.HasSuffix(s, e) {
			return true
		}
	}
	return false
}
