package risk

import (
	"regexp"
	"strings"
	"sync"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var dataRules = []Rule{
	{
		ID: "sql.drop", Level: high, data: true,
		Reason:     "It deletes a database, a table or a schema with its data.",
		Suggestion: "Take a dump first, and rename before dropping.",
		when: []string{
			"dropuser ...", "mysqladmin shutdown", "clickhouse-client ~DROP|TRUNCATE",
			"cqlsh ~DROP|TRUNCATE|drop|truncate", "curator_cli ~delete", "neo4j-admin database|unbind drop",
		},
	},
	{
		ID: "sql.delete-all", Level: high, data: true,
		Reason:     "Without a WHERE, the statement changes or deletes every row.",
		Suggestion: "Add a WHERE, and run it inside a transaction.",
	},
	{
		ID: "sql.delete", Level: moderate,
		Reason:     "It changes or deletes rows.",
		Suggestion: "Run a SELECT with the same WHERE first, inside a transaction.",
	},
	{
		ID: "sql.schema", Level: moderate,
		Reason:     "It changes the shape or the rights of a database.",
		Suggestion: "Try it on a copy first.",
	},
	{
		ID: "sql.column-drop", Level: high, data: true,
		Reason:     "It drops a column with its data.",
		Suggestion: "Rename it first, and drop it when nothing misses it.",
	},
	{
		ID: "sql.program", Level: critical,
		Reason:     "It runs a program, or writes a file, with the database server's rights.",
		Suggestion: "Run the program yourself.",
	},
	{
		ID: "sql.read-file", Level: high, attack: true,
		Reason:     "It reads files of the machine with the database server's rights.",
		Suggestion: "Read the file yourself.",
	},
	{
		ID: "sql.grant-all", Level: high,
		Reason:     "It gives an account all rights in the database.",
		Suggestion: "Give the rights that are needed.",
	},
	{
		ID: "sql.restore", Level: moderate,
		Reason:     "It loads a dump over a database.",
		Suggestion: "Load it into a new database first.",
		when: []string{
			"createdb|createuser ...", "psql -f|--file", "mysqlcheck ~--optimize|--repair|--auto-repair",
			"pg_restore !-l|--list", "mongorestore ...", "mysqlimport ...", "pgloader ...", "sqlcmd ~RESTORE",
		},
	},
	{
		ID: "sql.restore-clean", Level: high,
		Reason:     "It drops what exists before it loads a dump.",
		Suggestion: "Load it into a new database first.",
		when: []string{
			"pg_restore -c|--clean", "mongorestore --drop",
			"neo4j-admin ~--overwrite-destination|--force restore", "neo4j-admin database|dbms ... ~--overwrite-destination", "mongoimport --drop",
			"pt-archiver --purge", "pt-table-sync|pt-kill ~--execute|--kill", "cockroach node decommission|drain",
			"arangorestore ~--overwrite", "influxd-ctl remove-shard|remove-data|truncate-shards", "redis-cli ~--cluster del-node|reset|fix",
			"redis-cli cluster|CLUSTER reset|RESET|forget|FORGET", "kafka-streams-application-reset|kafka-streams-application-reset.sh ...", "kafka-reassign-partitions|kafka-reassign-partitions.sh ~--execute",
			"etcdutl|etcdctl snapshot restore", "clickhouse-backup|pgbackrest restore|restore_remote --rm|--drop|--delta",
			"mongosync|mongomirror --drop", "pg_dropcluster|pg_renamecluster ...",
		},
	},
	{
		ID: "mongo.delete", Level: high, data: true,
		Reason:     "It deletes a database, a collection or all documents.",
		Suggestion: "Run mongodump first.",
	},
	{
		ID: "redis.flush", Level: high, data: true,
		Reason:     "It deletes all keys or stops the server.",
		Suggestion: "Delete keys by name, and check the database number.",
		when: []string{
			"redis-cli XTRIM|xtrim", "redis-cli ... debug|DEBUG segfault|SEGFAULT|sleep",
			"redis-cli flushall|FLUSHALL|flushdb|FLUSHDB|FlushAll|shutdown|SHUTDOWN", "memcached-tool ... flush",
			"memcflush|memcrm ...",
		},
	},
	{
		ID: "redis.delete", Level: moderate,
		Reason:     "It deletes keys or changes settings of the server.",
		Suggestion: "Check the keys first.",
		when: []string{
			"redis-cli del|DEL|unlink|UNLINK|rename|RENAME|expire|EXPIRE|set|SET|hdel|HDEL",
			"redis-cli config|CONFIG set|SET", "redis-cli script|SCRIPT flush|FLUSH",
		},
	},
	{
		ID: "app.database-reset", Level: high, data: true,
		Reason:     "It drops and makes anew the application's database.",
		Suggestion: "Check which environment it is connected to, and take a dump.",
		when: []string{
			"rails|rake|bin/rails db:drop|db:reset|db:drop:all|db:schema:load|db:purge|db:migrate:reset",
			"rails|rake|bin/rails db:truncate_all|db:setup",
			"php artisan migrate:fresh|migrate:reset|db:wipe|migrate:refresh",
			"artisan migrate:fresh|migrate:reset|db:wipe|migrate:refresh",
			"sail artisan migrate:fresh|migrate:reset|db:wipe|migrate:refresh",
			"python|python3 *manage.py flush|reset_db|sqlflush", "manage.py|django-admin flush|reset_db",
			"python|python3 *manage.py migrate * zero", "prisma migrate reset",
			"prisma db push --force-reset|--accept-data-loss", "prisma db execute", "npx prisma migrate reset",
			"sequelize|sequelize-cli db:drop|db:migrate:undo:all", "typeorm schema:drop",
			"knex migrate:rollback --all", "alembic downgrade base", "flask db downgrade", "mix ecto.drop|ecto.reset",
			"diesel database|migration reset|drop", "sqlx database drop|reset", "dotnet ef database drop",
			"flyway clean", "liquibase drop-all|dropAll", "dbmate drop", "migrate drop", "doctrine ... ~drop",
			"bin/console|console doctrine:database:drop|doctrine:schema:drop", "goose reset|down-to",
			"drizzle-kit drop", "hasura ... ~down", "symfony console doctrine:database:drop|doctrine:schema:drop",
			"wp db|site reset|drop|empty|delete|clean", "drush sql:drop|sql-drop|site:install", "strapi ~reset",
			"meteor reset", "airflow db reset", "superset ~reset", "magento ~uninstall", "kong migrations reset",
			"rake jobs:clear",
		},
	},
	{
		ID: "app.migrate", Level: moderate,
		Reason:     "It changes the application's database.",
		Suggestion: "Check which environment it is connected to.",
		when: []string{
			"rails|rake|bin/rails db:migrate|db:rollback|db:seed", "php artisan migrate|migrate:rollback|db:seed",
			"python|python3 *manage.py migrate", "manage.py migrate", "alembic downgrade|upgrade", "flask db upgrade",
			"prisma migrate deploy|dev", "prisma db push", "knex migrate:rollback|migrate:latest",
			"flyway migrate|repair", "sequelize|sequelize-cli db:migrate|db:migrate:undo",
			"mix ecto.migrate|ecto.rollback", "goose|dbmate|migrate ... up|down", "sqlx migrate run|revert",
			"diesel migration run|revert|redo", "liquibase update|rollback",
		},
	},
	{
		ID: "search.delete", Level: high, data: true,
		Reason:     "It deletes an index of a search server.",
		Suggestion: "Take a snapshot first, and name the index.",
	},
	{
		ID: "http.shutdown", Level: high,
		Reason:     "It asks a server to stop.",
		Suggestion: "Stop it with its service manager, which starts it again when needed.",
	},
	{
		ID: "http.delete-resource", Level: high, data: true,
		Reason:     "It asks a platform or a server to delete one of its resources.",
		Suggestion: "Run the same address with GET first.",
	},
	{
		ID: "http.delete", Level: moderate,
		Reason:     "It asks a server to delete something.",
		Suggestion: "Run the same address with GET first.",
	},
}

func init() {
	register(sqlClient, "psql", "mysql", "sqlite3", "sqlcmd", "duckdb", "sqlplus", "bq", "rman", "impala-shell", "beeline",
		"hive", "presto", "trino", "snowsql", "isql", "osql", "tsql", "usql", "litecli", "clickhouse-client",
		"clickhouse", "cqlsh")
	register(mongoClient, "mongosh")
	register(redisClient, "redis-cli")
}

// sqlClient judges the statements that a client is given: as an argument, or on its input.
func sqlClient(a *assessor, r *shellparse.Run) {
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.ContainsAny(t, " \t\n;") {
			a.sql(t)
		}
	}
	switch {
	case r.Stdin.Known:
		a.sql(r.Stdin.Text)
	case r.Stdin.File != "" && (r.Name == "mysql" || sameAs[r.Name] == "mysql" || r.Name == "psql" ||
		r.Name == "sqlite3"):
		a.hit("sql.restore")
	case len(r.Stdin.From) > 0:
		a.pick(a.writesStatements(r), "sql.drop", "sql.restore")
	}
}

// writesStatements reports whether what flows into a client is made of statements that drop or delete.
func (a *assessor) writesStatements(r *shellparse.Run) bool {
	for _, i := range a.cmd.Upstream(r.Stdin) {
		for j := range a.cmd.Runs[i].Args {
			if up := strings.ToUpper(a.cmd.Runs[i].Args[j].Text); anyIn(up, []string{"DROP TABLE", "DROP DATABASE", "DROP SCHEMA",
				"TRUNCATE ", "DELETE FROM ", "DROP USER", "DROP KEYSPACE"}) {
				return true
			}
		}
	}
	return false
}

// sql judges SQL statements.
func (a *assessor) sql(text string) {
	if up := strings.ToUpper(text); strings.Contains(up, `\GEXEC`) && anyIn(up, []string{"DROP ", "TRUNCATE ", "DELETE FROM "}) {
		a.hit("sql.drop")
	}
	if low := strings.ToLower(text); strings.HasPrefix(strings.TrimLeft(low, " "), `\copy`) && strings.Contains(low, " to program ") {
		a.hit("sql.program")
	}
	if taken := strings.TrimRight(strings.ToUpper(text), " ;\n"); strings.HasSuffix(taken, "ROLLBACK") && strings.Contains(taken, "BEGIN") {
		a.hit("sql.delete")
		return
	}
	if len(text) > maxSQL {
		text = text[:maxSQL]
	}
	for _, stmt := range strings.Split(plainSQL(text), ";") {
		words := strings.Fields(stmt)
		if len(words) > 1 && words[0] == "EXPLAIN" && !strings.HasPrefix(words[1], "ANALYZE") &&
			!strings.Contains(words[1], "ANALYZE") {
			continue
		}
		for len(words) > 0 && (words[0] == "BEGIN" || words[0] == "EXPLAIN" || strings.HasSuffix(words[0], ".EXE") ||
			strings.HasPrefix(words[0], "--")) {
			words = words[1:]
		}
		if len(words) < 2 {
			if len(words) == 1 && strings.HasPrefix(words[0], "XP_CMDSHELL") {
				a.hit("sql.program")
			}
			continue
		}
		a.statement(words, stmt)
	}
}

const maxSQL = 64 << 10

func (a *assessor) statement(words []string, stmt string) {
	where := strings.Contains(stmt, " WHERE ")
	switch words[0] {
	case "DROP":
		switch words[1] {
		case "INDEX", "VIEW", "FUNCTION", "TRIGGER", "PROCEDURE", "POLICY", "EXTENSION", "CONSTRAINT", "RULE", "TYPE",
			"AGGREGATE", "OPERATOR", "STATISTICS", "PUBLICATION", "SUBSCRIPTION", "TEMPORARY":
			a.hit("sql.schema")
		case "DATABASE", "SCHEMA", "KEYSPACE", "TABLESPACE", "CATALOG", "WAREHOUSE", "ACCOUNT", "BUCKET":
			a.hit("sql.drop-database")
		default:
			a.hit("sql.drop")
		}
	case "TRUNCATE":
		a.hit("sql.drop")
	case "DELETE":
		a.pick(where && !trivial(stmt), "sql.delete", "sql.delete-all")
	case "UPDATE":
		if strings.Contains(stmt, " SET ") {
			a.pick(where && !trivial(stmt), "sql.delete", "sql.delete-all")
		}
	case "ALTER":
		switch {
		case strings.Contains(stmt, "DISABLE ROW LEVEL SECURITY") || strings.Contains(stmt, " DISABLE TRIGGER ALL"):
			a.hit("tool.protection-off")
		case words[1] == "SYSTEM" && anyIn(strings.ReplaceAll(stmt, " ", ""), []string{"FSYNC=OFF", "FULL_PAGE_WRITES=OFF", "SSL=OFF",
			"FSYNCTOOFF", "LOGGING_COLLECTOR=OFF", "ROW_SECURITY=OFF"}):
			a.hit("tool.protection-off")
		case strings.Contains(stmt, " DELETE WHERE ") || strings.Contains(stmt, " UPDATE ") && where:
			a.pick(!trivial(stmt), "sql.delete", "sql.delete-all")
		case strings.Contains(stmt, " DROP ") && !strings.Contains(stmt, "DROP CONSTRAINT") && !strings.Contains(stmt,
			"DROP INDEX") && !strings.Contains(stmt, "DROP DEFAULT") && !strings.Contains(stmt, "DROP NOT NULL"):
			a.hit("sql.column-drop")
		case strings.Contains(stmt, "SUPERUSER") && !strings.Contains(stmt, "NOSUPERUSER"):
			a.hit("sql.grant-all")
		default:
			a.hit("sql.schema")
		}
	case "GRANT":
		a.pick(strings.Contains(stmt, "ALL PRIVILEGES ON *") || strings.Contains(stmt, "GRANT ALL ON *") || strings.HasSuffix(strings.TrimSpace(stmt), " TO PUBLIC"),
			"sql.grant-all", "sql.schema")
	case "CREATE", "REVOKE", "RENAME", "REINDEX", "VACUUM", "INSERT", "REPLACE", "MERGE", "FLUSH", "SHUTDOWN", "KILL",
		"PURGE", "RESET":
		switch {
		case words[0] == "SHUTDOWN" || words[0] == "PURGE" || words[0] == "RESET" && (words[1] == "MASTER" ||
			words[1] == "BINARY"):
			a.hit("sql.drop")
		case strings.Contains(stmt, " SUPERUSER"):
			a.hit("sql.grant-all")
		default:
			a.hit("sql.schema")
		}
	case "LOAD":
		a.pick(strings.Contains(stmt, " INFILE "), "sql.read-file", "sql.schema")
	case "COPY":
		if strings.Contains(stmt, " PROGRAM ") {
			a.hit("sql.program")
		}
	case "EXEC", "EXECUTE":
		if strings.Contains(stmt, "XP_CMDSHELL") {
			a.hit("sql.program")
		}
	case "SELECT", "WITH":
		switch {
		case strings.Contains(stmt, "LOAD_FILE(") || strings.Contains(stmt, "PG_READ_FILE(") || strings.Contains(stmt,
			"PG_READ_BINARY_FILE(") || strings.Contains(stmt, "LO_IMPORT(") || strings.Contains(stmt, "PG_LS_DIR("):
			a.hit("sql.read-file")
		case strings.Contains(stmt, " INTO OUTFILE ") || strings.Contains(stmt, " INTO DUMPFILE ") ||
			strings.Contains(stmt, "SYS_EXEC(") || strings.Contains(stmt, "LO_EXPORT("):
			a.hit("sql.program")
		case words[0] == "WITH" && strings.Contains(stmt, " DELETE FROM "):
			a.pick(where, "sql.delete", "sql.delete-all")
		case strings.Contains(stmt, "PG_TERMINATE_BACKEND("):
			a.pick(strings.Contains(stmt, "PG_STAT_ACTIVITY") && !where, "process.kill-all", "sql.schema")
		}
	}
}

// trivial reports whether a condition holds for every row.
func trivial(stmt string) bool {
	_, cond, _ := strings.Cut(stmt, " WHERE ")
	switch strings.ReplaceAll(strings.TrimSpace(cond), " ", "") {
	case "1=1", "1", "TRUE", "''=''", "ID=ID", "0=0", "NOTFALSE":
		return true
	}
	return always().MatchString(strings.TrimSpace(cond))
}

// always matches conditions that hold for every row that has an identifier.
var always = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Z_."]*ID"? ?(>=? ?-?[01]|<> ?0|!= ?0|IS NOT NULL|<> ?''|!= ?'')$|^[A-Z_."]+ IS NOT NULL$`)
})

// plainSQL returns statements in upper case with single blanks, without comments and without the content of strings.
func plainSQL(text string) string {
	var b strings.Builder
	blank := true
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				end = len(text) - i - 1
			}
			b.WriteString("''")
			i += end + 1
			blank = false
		case strings.HasPrefix(text[i:], "/*"):
			end := strings.Index(text[i+2:], "*/")
			if end < 0 {
				return b.String()
			}
			i += end + 3
			if !blank {
				b.WriteByte(' ')
				blank = true
			}
		case strings.HasPrefix(text[i:], "--") || c == '#' && blank:
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				return b.String()
			}
			i += end
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '(' && blank:
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
		default:
			if c >= 'a' && c <= 'z' {
				c -= 'a' - 'A'
			}
			b.WriteByte(c)
			blank = false
		}
	}
	return b.String() + " "
}
