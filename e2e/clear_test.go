package e2e

import "testing"

func TestClearingTrustThatWasNeverGivenIsDone(t *testing.T) {
	anna, bob := newNode(t, "anna"), newNode(t, "bob")
	anna.start()
	anna.caro("trust", "clear", bob.ID)
	anna.caro("trust", "set", bob.ID, "peer")
	anna.caro("trust", "clear", bob.ID)
	anna.caro("trust", "clear", bob.ID)
}
