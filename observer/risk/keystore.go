package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

// mongoClient judges statements of MongoDB.
func mongoClient(a *assessor, r *shellparse.Run) {
	text := r.Line() + r.Stdin.Text
	flat := strings.ReplaceAll(text, " ", "")
	if anyIn(flat, []string{"shutdown:1", "dropAllRoles", "dropAllUsers", "dropUser("}) {
		a.hit("mongo.delete")
	}
	if anyIn(flat, []string{"createUser(", "grantRolesToUser("}) && anyIn(flat, []string{`"root"`, "'root'", "__system", "userAdminAnyDatabase", "dbAdminAnyDatabase"}) {
		a.hit("sql.grant-all")
	}
	for _, x := range []string{"dropDatabase(", ".drop(", "deleteMany({})", "remove({})", "dropAllUsers",
		"dropCollection", "drop_database", "shutdownServer", "dropUser("} {
		if strings.Contains(text, x) {
			a.hit("mongo.delete")
		}
	}
	for _, x := range []string{"deleteOne(", "deleteMany(", "updateMany(", "updateOne(", "insertMany(", "insertOne(",
		"createUser(", "dropIndex"} {
		if strings.Contains(text, x) {
			a.hit("sql.delete")
		}
	}
}

func redisClient(a *assessor, r *shellparse.Run) {
	if up := strings.ToUpper(r.Stdin.Text); strings.Contains(up, "FLUSHALL") || strings.Contains(up, "FLUSHDB") {
		a.hit("redis.flush")
	}
	if (r.Has("CONFIG") || r.Has("config")) && (r.Has("protected-mode") && r.Has("no") || r.Has("requirepass") && r.Has("")) {
		a.hit("network.open-control")
	}
	if r.Has("replicaof") || r.Has("slaveof") || r.Has("REPLICAOF") || r.Has("SLAVEOF") {
		a.pick(bareAddress(lastOperandBut(r)) && !private(lastOperandBut(r)), "sql.program", "redis.delete")
	}
	if containsText(r, []string{"'flushall'", "'FLUSHALL'", `"flushall"`, `"FLUSHALL"`, "flushall ", "FLUSHALL "}) {
		a.hit("sql.drop-database")
	}
	if (r.Has("EVAL") || r.Has("eval")) && containsText(r, []string{"'del'", "'DEL'", `"del"`, `"DEL"`, "flush", "FLUSH", "unlink"}) {
		a.hit("redis.flush")
	}
	if r.Started("xargs") && (r.Has("del") || r.Has("DEL") || r.Has("unlink") || r.Has("UNLINK")) {
		a.hit("redis.flush")
	}
	if (r.Has("config") || r.Has("CONFIG")) && (r.Has("dir") || r.Has("dbfilename")) && (r.Has("set") || r.Has("SET")) {
		a.hit("sql.program")
	}
}

// lastOperandBut is the word before the last one: the host before its port.
func lastOperandBut(r *shellparse.Run) string { return r.Arg(len(r.Args) - 2) }
