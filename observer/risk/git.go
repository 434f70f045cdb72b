package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var gitRules = []Rule{
	{
		ID: "git.push-force", Level: high,
		Reason:     "It replaces the history of a branch on the server and can lose other people's commits.",
		Suggestion: "Use git push --force-with-lease.",
		when: []string{
			"git push -f|--force !--force-with-lease|--force-with-lease=*|-n|--dry-run",
			"git push --mirror|--prune !-n|--dry-run",
		},
	},
	{
		ID: "git.push-lease", Level: moderate,
		Reason:     "It replaces the history of a branch on the server.",
		Suggestion: "Tell those who work on the branch.",
		when: []string{
			"git push --force-with-lease|--force-with-lease=*|--force-if-includes",
		},
	},
	{
		ID: "git.push", Level: moderate,
		Reason:     "It publishes commits, tags or pull requests where others get them.",
		Suggestion: "Look at what goes with git log first.",
		when: []string{
			"git push !-n|--dry-run|-f|--force|--mirror|--prune|-d|--delete|--force-with-lease", "gh pr merge|close",
			"gh workflow run", "gh release create", "glab mr merge|close", "gh issue close", "hub push|release",
			"jj git push", "hg push", "svn commit|ci", "git svn dcommit", "git lfs push", "gt submit|sync",
		},
	},
	{
		ID: "git.push-delete", Level: high,
		Reason:     "It deletes a branch or tag on the server.",
		Suggestion: "Check with git log that it is merged.",
		when: []string{
			"git push --delete|-d",
		},
	},
	{
		ID: "git.reset-hard", Level: high,
		Reason:     "It throws away all changes that are not committed.",
		Suggestion: "Run git stash first, or use git reset --keep.",
		when: []string{
			"git reset --hard", "git reset --merge", "jj abandon|restore", "hg strip", "hg update|up -C|--clean",
			"svn revert -R|--recursive",
		},
	},
	{
		ID: "git.clean", Level: high,
		Reason:     "It deletes files that git does not know; they cannot be brought back.",
		Suggestion: "Run git clean -n first.",
		when: []string{
			"git clean -f|--force|-d|-x|-X !-n|--dry-run|-i|--interactive", "hg purge",
			"git rm -r|-f .|[*]|./|:/ !--cached",
			"p4 client|workspace|label|branch -d", "p4 revert|clean ...", "svn cleanup --remove-unversioned|--remove-ignored",
			"hg clean --all|--ignored", "fossil clean -x|--force|-f|--extra",
		},
	},
	{
		ID: "git.discard", Level: high,
		Reason:     "It throws away changes in the working folder.",
		Suggestion: "Run git stash, or git diff to look first.",
		when: []string{
			"git checkout -f|--force", "git checkout .|:/|[*]|./", "git checkout HEAD .", "git checkout HEAD ./|[*]",
			"git restore .|:/|[*]|./ !--staged|-S", "git restore .|:/|[*]|./ -W|--worktree",
			"git switch -f|--force|--discard-changes", "git checkout-index -f|-a", "git read-tree --reset|-u",
			"git submodule deinit -f|--all", "git worktree remove|rm -f|--force",
		},
	},
	{
		ID: "git.discard-file", Level: moderate,
		Reason:     "It throws away the changes in some files.",
		Suggestion: "Run git diff on them first.",
		when: []string{
			"git restore ... * !--staged|-S",
		},
	},
	{
		ID: "git.rewrite", Level: high,
		Reason:     "It rewrites the history of the repository.",
		Suggestion: "Work on a fresh clone, and keep a backup.",
		when: []string{
			"git filter-branch|filter-repo", "bfg ...", "git replace", "git update-ref -d",
			"jj op abandon|restore|undo", "hg rollback|histedit", "svn delete|rm|remove ~://",
			"fossil purge|scrub|shun", "hg debugstrip|prune|evolve ...", "jj op|operation abandon",
			"java ~bfg",
		},
	},
	{
		ID: "git.expire", Level: high,
		Reason:     "It removes the way back to commits that no branch holds.",
		Suggestion: "Leave it to git, which keeps them for weeks.",
		when: []string{
			"git reflog expire|delete", "git lfs prune --force|--no-verify-remote|-f", "git gc --prune=now|--prune=all|--prune", "git prune !-n|--dry-run",
		},
	},
	{
		ID: "git.stash-drop", Level: high,
		Reason:     "It deletes changes that were put aside.",
		Suggestion: "Look with git stash show -p first.",
		when: []string{
			"git stash clear|drop",
		},
	},
	{
		ID: "git.branch-delete-listed", Level: high,
		Reason:     "It deletes every branch that another command lists, merged or not.",
		Suggestion: "Print the list first, and use git branch -d.",
	},
	{
		ID: "git.branch-delete", Level: moderate,
		Reason:     "It deletes a branch, merged or not, or a tag.",
		Suggestion: "Use git branch -d, which refuses unmerged branches.",
		when: []string{
			"git branch -D", "git branch -d|--delete -f|--force", "git tag -d|--delete", "git branch -f|--force|-M",
			"git remote remove|rm", "git worktree prune|remove",
		},
	},
	{
		ID: "git.rebase", Level: moderate,
		Reason:     "It rewrites local commits.",
		Suggestion: "Note the old position with git tag.",
		when: []string{
			"git rebase !--abort|--continue|--skip|--quit", "git commit --amend",
			"git reset HEAD*|origin/*|ORIG_HEAD !--hard", "git reset --soft|--mixed|--keep",
			"git cherry-pick|revert|am !--abort|--continue", "git pull --rebase|-r", "git merge ...", "git rm",
			"git update-index --assume-unchanged",
		},
	},
	{
		ID: "git.config-system", Level: moderate,
		Reason:     "It changes settings of git for all repositories.",
		Suggestion: "Set it for the one repository.",
		when: []string{
			"git config --system", "git config http.sslVerify|http.sslverify false",
		},
	},
	{
		ID: "code.git-transport", Level: critical, attack: true,
		Reason:     "It makes git run a command in place of a connection.",
		Suggestion: "Clone over https or ssh.",
	},
	{
		ID: "git.repo-delete", Level: high,
		Reason:     "It deletes or opens up a repository or its releases on the server.",
		Suggestion: "Archive it instead.",
		when: []string{
			"gh repo delete|archive|rename", "gh repo edit ... --visibility=*|--visibility",
			"glab repo|project delete", "gh release|secret|variable|ssh-key|gpg-key|codespace|cache delete",
			"svn rm|delete|del|remove ~://", "p4 obliterate|delete", "cvs ~remove", "fossil purge|scrub",
			"darcs obliterate", "bzr uncommit", "gh run delete", "gh api -X|--method ~repos", "gh issue|pr delete",
			"gh pr merge --admin", "glab release|mr delete",
			"gh|glab repo transfer|archive", "gh repo rename --yes", "gh api ~collaborators ~permission=admin",
			"gh api ~/transfer|/hooks|/keys ~POST|PUT",
		},
	},
}

func init() { register(gitCommand, "git") }

// diverts reports whether a replacement of addresses leads from a well-known server to another one.
func diverts(key, from string) bool {
	for _, host := range [...]string{"github.com", "gitlab.com", "bitbucket.org", "googlesource.com", "codeberg.org"} {
		if strings.Contains(from, host) {
			return !strings.Contains(key, host) && strings.Contains(key, ".") && !strings.Contains(key, "mirror") &&
				!strings.Contains(key, "proxy")
		}
	}
	return false
}

// gitCommand judges refspecs, which no option shows.
func gitCommand(a *assessor, r *shellparse.Run) {
	sub, at := r.Operand(0)
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.HasPrefix(t, "ext::") {
			a.hit("code.git-transport")
		}
		low := strings.ToLower(t)
		switch next := r.Arg(i + 1); {
		case low == "core.hookspath" && temporary(next):
			a.hit("persist.unit")
		case strings.HasPrefix(low, "url.") && strings.HasSuffix(low, ".insteadof") && diverts(low, next):
			a.hit("network.poison")
		}
	}
	switch sub {
	case "push":
		_, next := r.Operand(at + 1)
		if next < 0 || hasOption(r, []string{"-n", "--dry-run"}) {
			return
		}
		if r.Has("--force") || r.Has("-f") { // stronger than a lease
			a.hit("git.push-force")
		}
		for i := next + 1; i < len(r.Args); i++ {
			switch t := r.Args[i].Text; {
			case strings.HasPrefix(t, "+") && len(t) > 1:
				a.hit("git.push-force")
			case strings.HasPrefix(t, ":") && len(t) > 1:
				a.hit("git.push-delete")
			}
		}
	case "branch", "tag":
		if hasOption(r, []string{"-D", "-d", "--delete"}) && (hasOption(r, []string{"-D", "-f", "--force"}) ||
			sub == "tag") {
			for _, w := range r.Args[at+1:] {
				if len(w.From) > 0 {
					a.hit("git.branch-delete-listed")
				}
			}
		}
	case "add", "commit":
		for _, w := range r.Args[at+1:] {
			if secrecy(w.Text, r.Dir) >= secret {
				a.hit("secret.commit")
			}
		}
	case "checkout":
		if i := indexOf(r, "--"); i >= 0 && i+1 < len(r.Args) {
			if t := r.Arg(i + 1); t == "." || t == "*" || t == ":/" || t == "./" {
				a.hit("git.discard")
			} else {
				a.hit("git.discard-file")
			}
		}
	}
}
