package risk

import (
	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

const (
	safe     = vocabulary.RiskSafe
	moderate = vocabulary.RiskModerate
	high     = vocabulary.RiskHigh
	critical = vocabulary.RiskCritical
)

var fileRules = []Rule{
	{
		ID: "file.remove-root", Level: critical,
		Reason:     "It deletes everything from the root folder down.",
		Suggestion: "Name the one folder that shall go, and look at it with ls first.",
	},
	{
		ID: "file.remove-system", Level: critical,
		Reason:     "It deletes a folder that the system needs to run.",
		Suggestion: "Remove software with the package manager, and single files by their full name.",
	},
	{
		ID: "file.remove-home", Level: critical,
		Reason:     "It deletes a whole home folder.",
		Suggestion: "Name the folder inside the home folder that shall go, or make a backup first.",
	},
	{
		ID: "file.remove-vital", Level: critical,
		Reason:     "It deletes files without which the system does not start or nobody can log in.",
		Suggestion: "Copy the file aside before changing it, and let the package manager remove it.",
	},
	{
		ID: "file.remove-keys", Level: high,
		Reason:     "It deletes keys, settings or personal folders of an account.",
		Suggestion: "Move it aside with mv, and delete it later.",
	},
	{
		ID: "file.remove-personal", Level: critical,
		Reason:     "It deletes a folder with the documents, pictures or keys of a person.",
		Suggestion: "Make a backup, and move it aside with mv.",
	},
	{
		ID: "file.remove-unset", Level: high,
		Reason:     "If the variable is empty, this deletes from the root folder.",
		Suggestion: "Write ${NAME:?} so that the shell stops when the variable is empty.",
	},
	{
		ID: "file.remove-inside-system", Level: high,
		Reason:     "It deletes files or folders inside a system folder.",
		Suggestion: "Use the package manager, or move the folder aside first.",
	},
	{
		ID: "file.remove-here", Level: high,
		Reason:     "It deletes everything in the current folder, or the folder itself.",
		Suggestion: "Check where you are with pwd and ls, and name what shall go.",
	},
	{
		ID: "file.remove-tree", Level: high,
		Reason:     "It deletes a folder with everything in it; there is no way back.",
		Suggestion: "Look with ls first, or move it to a trash folder with mv or trash.",
	},
	{
		ID: "file.remove-unknown", Level: high,
		Reason:     "It deletes recursively what is only known when it runs.",
		Suggestion: "Print the list first, and delete when it is right.",
	},
	{
		ID: "file.remove", Level: moderate,
		Reason:     "It deletes files.",
		Suggestion: "Use rm -i, or move the files to a trash folder.",
	},
	{
		ID: "file.remove-kind", Level: high,
		Reason:     "It deletes every file of a kind that people write or keep, without asking.",
		Suggestion: "Print the list with ls first, and use rm -i.",
	},
	{
		ID: "file.remove-made", Level: moderate,
		Reason:     "It deletes what a build, an installation or a cache makes again.",
		Suggestion: "Most tools have a clean command of their own.",
	},
	{
		ID: "file.find-delete-root", Level: critical,
		Reason:     "It searches from a system folder or a home folder and deletes what it finds.",
		Suggestion: "Start the search in the one folder that is meant, and run it with -print first.",
	},
	{
		ID: "file.find-delete", Level: high,
		Reason:     "It deletes everything that a search finds, and the search is not limited by name.",
		Suggestion: "Run it with -print first, and limit it with -name and -maxdepth.",
	},
	{
		ID: "file.find-delete-named", Level: moderate,
		Reason:     "It deletes the files that a search finds.",
		Suggestion: "Run it with -print first.",
	},
	{
		ID: "file.move-system", Level: critical,
		Reason:     "It moves a folder away that the system or an account needs.",
		Suggestion: "Copy it, and never move system folders of a running system.",
	},
	{
		ID: "file.move-to-null", Level: high,
		Reason:     "It moves files to the null device, where they are lost.",
		Suggestion: "Delete them with rm, so that the intention is clear.",
		when: []string{
			"zmv|mmv ... $/dev/null",
		},
	},
	{
		ID: "file.move-over", Level: moderate,
		Reason:     "It replaces files without asking.",
		Suggestion: "Use mv -n or mv -i.",
	},
	{
		ID: "file.overwrite-vital", Level: critical,
		Reason:     "It overwrites a file without which the system does not start or nobody can log in.",
		Suggestion: "Edit a copy, check it (visudo -c, mount -a, sshd -t), and then move it in place.",
	},
	{
		ID: "file.overwrite-account", Level: high,
		Reason:     "It overwrites settings or keys of an account.",
		Suggestion: "Append with >>, or keep a copy.",
	},
	{
		ID: "file.write-system", Level: moderate,
		Reason:     "It writes to a system folder.",
		Suggestion: "Keep a copy of what was there.",
	},
	{
		ID: "file.truncate", Level: moderate,
		Reason:     "It empties a file.",
		Suggestion: "Keep a copy if the content may be needed.",
	},
	{
		ID: "file.empty-many", Level: high,
		Reason:     "It empties every file that a pattern or a search finds.",
		Suggestion: "Print the list first, and keep a copy.",
	},
	{
		ID: "file.shred", Level: high,
		Reason:     "It overwrites files so that nothing can bring them back.",
		Suggestion: "Check the names with ls first.",
	},
	{
		ID: "file.permissions-root", Level: critical,
		Reason:     "It changes permissions or ownership of the whole system or of a folder that it needs.",
		Suggestion: "Name the one folder that is meant.",
	},
	{
		ID: "file.permissions-home", Level: high,
		Reason:     "It changes permissions or ownership of a whole home folder or of keys in it.",
		Suggestion: "Name the one file that is meant.",
	},
	{
		ID: "file.world-writable", Level: high,
		Reason:     "It lets every user of the machine change the files.",
		Suggestion: "Use 755 for folders and programs, 644 for files, or give a group the right.",
	},
	{
		ID: "file.permissions-none", Level: high,
		Reason:     "It takes away all permissions of a tree.",
		Suggestion: "Name the files, and leave the owner's rights.",
	},
	{
		ID: "file.setuid", Level: high,
		Reason:     "It lets everybody run the program with its owner's rights.",
		Suggestion: "Use sudo rules or capabilities for the one thing that is needed.",
	},
	{
		ID: "file.setuid-shell", Level: critical,
		Reason:     "It gives everybody a shell with root's rights.",
		Suggestion: "Never set this on a shell or an interpreter.",
	},
	{
		ID: "file.permissions-tree", Level: moderate,
		Reason:     "It changes permissions or ownership of a tree.",
		Suggestion: "Check the folder, and keep the old modes with getfacl -R.",
	},
	{
		ID: "file.permissions", Level: moderate,
		Reason:     "It changes who may use a file.",
		Suggestion: "Give no more than is needed.",
	},
	{
		ID: "file.sync-delete", Level: moderate,
		Reason:     "It deletes at the destination what is missing at the source.",
		Suggestion: "Run it with --dry-run first.",
	},
	{
		ID: "file.sync-delete-root", Level: critical,
		Reason:     "It deletes in a system or home folder what is missing at the source.",
		Suggestion: "Run it with --dry-run first, and check both paths.",
	},
	{
		ID: "file.sync-empty", Level: high,
		Reason:     "It empties the destination by mirroring an empty folder.",
		Suggestion: "Check the destination with ls first.",
	},
	{
		ID: "file.link-over-system", Level: high,
		Reason:     "It replaces a system file or a log by a link.",
		Suggestion: "Keep the file and change its content.",
	},
	{
		ID: "file.fill-disk", Level: high,
		Reason:     "It writes without end until the disk is full.",
		Suggestion: "Give a size with head -c or dd count=.",
	},
	{
		ID: "file.unpack-root", Level: high,
		Reason:     "It unpacks an archive over the root folder or a system folder.",
		Suggestion: "Unpack into an empty folder and look at it first.",
	},
	{
		ID: "file.immutable-vital", Level: high,
		Reason:     "It takes the protection from change off a file that decides who may log in or what is loaded.",
		Suggestion: "Check who set it; change the file with its own tool.",
		when: []string{
			"chattr ~-i ~/etc/passwd|/etc/shadow|/etc/sudoers|/etc/ld.so|/etc/group|/etc/pam|/etc/ssh|/boot|authorized_keys",
			"chattr ~-a ~/var/log|history|audit",
		},
	},
	{
		ID: "file.immutable", Level: moderate,
		Reason:     "It changes file attributes below the permissions.",
		Suggestion: "Check with lsattr first.",
		when: []string{
			"chattr ~+i|-i|+a|-a",
		},
	},
}

func init() {
	register(removeFiles, "rm", "unlink", "rmdir", "rimraf", "trash", "del", "erase", "rd", "Remove-Item", "ri", "grm",
		"srm", "wipe", "del-cli", "trash-put")
	register(shredFiles, "shred", "gshred")
	register(findFiles, "find", "fd")
	register(moveFiles, "mv")
	register(copyFiles, "cp", "install", "ln")
	register(changeMode, "chmod")
	register(changeOwner, "chown", "chattr", "setfacl")
	register(syncFiles, "rsync")
	register(teeFiles, "tee", "sponge")
	register(truncateFiles, "truncate")
	register(unpackFiles, "tar", "unzip", "cpio", "bsdtar")
	register(packAndRemove, "zip", "7z", "7za", "7zz", "rar")
	register(editFiles, "sed", "perl", "ed", "ex")
}

// checks are the rules in code, by program.
var checks map[string]func(*assessor, *shellparse.Run)

func register(f func(*assessor, *shellparse.Run), names ...string) {
	if checks == nil {
		checks = map[string]func(*assessor, *shellparse.Run){}
	}
	for _, n := range names {
		if checks[n] != nil {
			panic("two checks for " + n)
		}
		checks[n] = f
	}
}

// operandsOf returns the words that are no options, and whether a short or long option of the lists is among the others.
func operandsOf(r *shellparse.Run, values string) []shellparse.Word {
	out := make([]shellparse.Word, 0, len(r.Args))
	ended := false
	for i := 0; i < len(r.Args); i++ {
		t := r.Args[i].Text
		if !ended && t == "--" {
			ended = true
			continue
		}
		if !ended && len(t) > 1 && t[0] == '-' {
			if fieldOf(values, t) {
				i++
			}
			continue
		}
		out = append(out, r.Args[i])
	}
	return out
}
