package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

func TestADamagedDatabaseIsRepairedAtStartAndTheUserIsToldInOneSentence(t *testing.T) {
	n := newNode(t, "anna")
	n.start()
	const commands = 12
	for range commands {
		n.caro("observe", "--shell", "bash", "--", "echo "+strings.Repeat("kept ", 100))
	}
	n.awaitEvents(commands)
	before := n.caro("id")
	n.stop()
	path := filepath.Join(n.Home, "caro.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	for at := 0; at+4096 <= len(b); at += 4096 { // one page with commands
		if page := b[at : at+4096]; page[0] == 13 && strings.Contains(string(page), "kept kept kept ") {
			lost = strings.Count(string(page), "echo kept")
			clear(page)
			break
		}
	}
	if lost == 0 {
		t.Fatal("no page with commands was found")
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	n.start()
	var s v1.Status
	n.caroJSON(&s, "status")
	if s.Events >= commands || s.Events == 0 && lost < commands || s.Database.Repair == nil {
		t.Fatalf("%d commands are left of %d, and the repair is %+v", s.Events, commands, s.Database.Repair)
	}
	sentence := s.Database.Repair.Text
	for _, part := range []string{"was damaged", "lost ", "commands", path + ".damaged-"} {
		if !strings.Contains(sentence, part) {
			t.Errorf("%q does not say %q", sentence, part)
		}
	}
	for _, p := range s.Database.Repair.Parts {
		if p.Name == "commands" && p.Saved+p.Lost < commands {
			t.Errorf("%d saved and %d lost do not make %d commands", p.Saved, p.Lost, commands)
		}
	}
	if !strings.Contains(strings.Join(strings.Fields(n.caro("status")), " "), "was damaged") || !strings.Contains(n.Log(), "was damaged") {
		t.Error("status or log do not tell of it")
	}
	if after := n.caro("id"); after != before {
		t.Errorf("the node is another one: %s", after)
	}
	var v v1.AuditVerification
	n.caroJSON(&v, "audit", "verify")
	if !v.OK || !strings.Contains(n.caro("audit", "list"), "database_repaired") {
		t.Errorf("the audit log says %+v and does not note the repair", v)
	}
	if err := os.Remove(s.Database.Repair.KeptAs); err != nil {
		t.Fatal(err)
	}
	n.await("good health once the damaged file is gone", func(s v1.Status) bool { return s.Health == v1.HealthOK && s.Database.Repair == nil })
}
