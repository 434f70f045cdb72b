package risk

import (
	"strconv"
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
)

var diskRules = []Rule{
	{
		ID: "disk.overwrite", Level: critical,
		Reason:     "It writes straight to a disk and destroys what is on it.",
		Suggestion: "Check the device with lsblk, and make sure that it is not mounted.",
	},
	{
		ID: "disk.remove-device", Level: critical,
		Reason:     "It removes device files that the system needs.",
		Suggestion: "Leave /dev to the system.",
	},
	{
		ID: "disk.format", Level: critical,
		Reason:     "It makes a new file system over a disk and destroys what is on it.",
		Suggestion: "Check the device with lsblk -f first.",
	},
	{
		ID: "disk.partition", Level: critical,
		Reason:     "It changes the partition table of a disk.",
		Suggestion: "Save the table with sfdisk -d first.",
		when: []string{
			"parted ... mklabel|mktable|rm|mkpart|resizepart", "parted =mklabel|mktable|rm",
			"sgdisk -Z|-z|-o|-d|-n|-g|--zap-all|--zap|--clear|--delete*|--new*|--load-backup*|-l",
			"sfdisk --delete|--wipe*|--force|-f",
			"diskutil eraseDisk|eraseVolume|zeroDisk|randomDisk|secureErase|partitionDisk|reformat", "diskpart",
			"format.com|format C:|c:|D:|d:", "Clear-Disk|Format-Volume|Initialize-Disk|Remove-Partition",
		},
	},
	{
		ID: "disk.partition-tool", Level: high,
		Reason:     "It opens a partition table for changes.",
		Suggestion: "Look with -l first, and save the table with sfdisk -d.",
	},
	{
		ID: "disk.wipe", Level: critical,
		Reason:     "It erases a disk or its signatures.",
		Suggestion: "Check the device with lsblk first, and keep a backup of the header.",
		when: []string{
			"wipefs -a|--all|-o|--offset", "blkdiscard !--help",
			"hdparm --security-erase|--security-erase-enhanced|--trim-sector-ranges",
			"nvme format|sanitize|delete-ns",
			"cryptsetup luksFormat|luksErase|erase|reencrypt|luksKillSlot|luksRemoveKey", "badblocks -w", "scrub ...",
			"nwipe", "sg_format|sg_sanitize", "mdadm --zero-superblock|--zero-superblock=*|--create|-C",
			"mdadm =-C|--create", "zpool destroy|labelclear", "pvremove|vgremove", "pvcreate -f|-ff|--force",
			"dmsetup remove_all|wipe_table", "lvremove ...", "bcache make-bcache|wipe*", "sedutil-cli ...",
			"storcli* ~delete|init", "megacli ~CfgLdDel|CfgClr",
			"ceph-volume ... zap", "cephadm rm-cluster|zap-osds", "ceph-deploy|ceph-ansible purge|purgedata",
			"ceph orch device zap", "ceph orch ... zap", "mdadm ~--assume-clean",
			"bsdinstall ...", "cryptsetup luksHeaderRestore", "vgremove|pvremove|lvremove ...",
			"dd_rescue|ddpt ~of=/dev/", "mdadm --stop --scan", "esxcli storage vmfs|core|filesystem ... remove|format",
			"vmkfstools -C|-U|-w", "partedUtil mklabel|delete|setptbl|mkpart", "stratis pool|filesystem|fs destroy",
			"bcachefs format|device|fs !show|usage", "nvmetcli clear", "zpool destroy",
			"talosctl wipe|reset",
		},
	},
	{
		ID: "disk.volume", Level: high, data: true,
		Reason:     "It destroys or shrinks a volume, a data set or a snapshot.",
		Suggestion: "Take a snapshot or a backup first.",
		when: []string{
			"zfs destroy|rollback", "btrfs subvolume|sub|subvol delete|del", "btrfs device remove|delete",
			"lvreduce|vgreduce|pvmove", "mdadm --fail|-f|--remove|-r|--stop|-S", "resize2fs -M", "xfs_repair -L",
			"e2fsck|fsck -y|-p|-f|-a", "fsck.ext4|fsck.xfs|fsck.vfat -y|-a", "debugfs -w", "tune2fs -f",
			"ceph osd ... purge|destroy|rm", "ceph ... --yes-i-really-mean-it|--yes-i-really-really-mean-it",
			"rbd rm|remove", "gluster volume delete|stop", "drbdadm wipe-md|create-md|invalidate",
			"lvconvert --merge", "snapper delete", "vgcfgrestore", "tmutil delete*|disable", "vgchange -an",
			"zpool import -F|-X|-FX|--rewind-to-checkpoint", "zpool export -a|-f", "zpool remove|split|checkpoint -d|*",
			"zfs receive|recv -F", "zfs receive|recv ... -F", "btrfs check|rescue --repair|--init-csum-tree|--init-extent-tree",
			"btrfs check --repair", "btrfs rescue zero-log|chunk-recover|super-recover|fix-device-size", "btrfs filesystem|fi resize ~-",
			"reiserfsck|fsck.reiserfs --rebuild-tree|--rebuild-sb", "dmsetup remove|suspend|wipe_table|mangle", "lvchange|vgchange =-an|--activate=n",
			"lvconvert ~--uncache|--splitmirrors|--repair", "vgexport|vgsplit|vgmerge ...", "lvresize ~-L-|-l-",
			"resize2fs * *[GMK]", "resize2fs * *s",
			"xfs_db -x", "xfs_metadump -a", "mdadm --grow ~--raid-devices|--size",
			"ceph osd|pg|fs|mds|mon out|down|lost|rm|reset|destroy|force-recovery|crush|purge", "ceph osd crush rm|remove|reweight", "ceph osd set pause|full|noup",
			"ceph tell ... ~injectargs", "ceph config rm|reset", "rados ... rm|purge|rmsnap",
			"rbd ... rm|remove|trash|purge|flatten|revert|resize", "rbd snap rm|purge|rollback|remove", "rbd trash rm|purge|empty",
			"cephfs-journal-tool|cephfs-data-scan|cephfs-table-tool ... reset|init|cleanup", "ceph-objectstore-tool ~remove|--op", "weed ~volume.delete|collection.delete|fs.rm",
			"lfs rmfid|migrate", "xfs_quota ~-x~limit", "quotaoff -a",
			"exportfs -ua|-au", "snapper delete|rollback|undochange ...", "tune2fs ~^has_journal|-O~^",
			"fsck -y|-f /dev/*", "ntfsresize|e2undo ...",
			"zpool detach", "zpool offline -f",
		},
	},
	{
		ID: "disk.mount", Level: moderate,
		Reason:     "It attaches or detaches a file system.",
		Suggestion: "Check with findmnt what uses it.",
		when: []string{
			"umount|mount|losetup|swapon|swapoff *", "umount|mount|swapon|swapoff -a|--all",
			"diskutil unmount*|mount*|eject", "cryptsetup open|close|luksOpen|luksClose",
		},
	},
	{
		ID: "disk.unmount-all", Level: high,
		Reason:     "It detaches file systems that are in use.",
		Suggestion: "Name the one mount point.",
		when: []string{
			"umount -a|--all", "umount -l|-f /|/home|/var|/usr",
			"mount ~remount,ro $/|/usr|/var|/home|/boot", "fsfreeze -f|--freeze", "xfs_freeze -f",
		},
	},
	{
		ID: "disk.open-target", Level: high,
		Reason:     "It writes raw data to a target that is only known when it runs.",
		Suggestion: "Print the name of the target first, and check it with lsblk.",
	},
	{
		ID: "disk.image", Level: moderate,
		Reason:     "It writes a file system or raw data into a file.",
		Suggestion: "Check the name of the output.",
	},
	{
		ID: "disk.quota", Level: moderate,
		Reason:     "It changes a file system's settings.",
		Suggestion: "Note the old settings first.",
		when: []string{
			"tune2fs|xfs_growfs|resize2fs|lvextend|lvcreate|vgcreate|pvcreate ...", "zfs set|create|snapshot",
			"zpool add|attach|detach|create|offline|replace",
		},
	},
}

func init() {
	register(copyBlocks, "dd")
	register(writeImage, "qemu-img", "ddrescue", "dd_rescue", "bmaptool", "woeusb", "ventoy", "Ventoy2Disk.sh",
		"rpi-imager", "caligula",
		"ntfsclone", "fsarchiver", "xfs_copy", "e2image", "partclone.ext4", "partclone.restore", "balena",
		"etcher-cli", "usbimager", "unetbootin",
		"livecd-iso-to-disk", "mintstick", "f3probe", "genisoimage", "growisofs")
	register(allocate, "fallocate", "mkfile")
	register(makeFilesystem, "mkfs", "mke2fs", "mkswap", "mkdosfs", "newfs", "mkntfs", "format", "mkfs.ext4")
	register(partitionTool, "fdisk", "cfdisk", "gdisk", "sfdisk", "parted", "gparted", "cgdisk")
}

func copyBlocks(a *assessor, r *shellparse.Run) {
	for _, w := range r.Args {
		target, ok := strings.CutPrefix(w.Text, "of=")
		if !ok {
			continue
		}
		w.Text = target
		switch p := placeOf(w, r.Dir); {
		case target == "/dev/null" || target == "/dev/stdout" || target == "/dev/tty":
		case p == placeDisk:
			a.hit("disk.overwrite")
		case w.Open && !w.Guarded && strings.HasPrefix(target, "$"):
			a.pick(a.fromDisks(w), "disk.overwrite", "disk.open-target")
		case huge(r):
			a.hit("file.fill-disk")
		case p == placeVital || p == placeDeep:
			a.pick(p == placeVital, "file.overwrite-vital", "file.write-system")
		case !containsText(r, []string{"count=", "bs="}) && (r.Has("if=/dev/zero") || r.Has("if=/dev/urandom")):
			a.hit("file.fill-disk")
		default:
			a.hit("disk.image")
		}
	}
}

// fromDisks reports whether a word comes from a list of disks.
func (a *assessor) fromDisks(w shellparse.Word) bool {
	for _, i := range a.cmd.Upstream(shellparse.Source{From: w.From}) {
		switch a.cmd.Runs[i].Name {
		case "lsblk", "blkid", "findmnt", "df", "fdisk", "parted", "sfdisk", "diskutil":
			return true
		}
	}
	return false
}

// huge reports whether dd or fallocate is asked for 100 GiB or more.
func huge(r *shellparse.Run) bool {
	block, count := int64(512), int64(0)
	for i := range r.Args {
		key, value, _ := strings.Cut(r.Args[i].Text, "=")
		switch key {
		case "bs":
			block = sizeOf(value)
		case "count":
			count = sizeOf(value)
		case "-l", "--length":
			if value == "" {
				value = r.Arg(i + 1)
			}
			block, count = sizeOf(value), 1
		}
	}
	return block > 0 && count > 0 && block > (100<<30)/count
}

// sizeOf reads a number with a binary suffix; 0 if it is none.
func sizeOf(s string) int64 {
	digits := strings.TrimRight(s, "kKMGTPiB")
	n, err := strconv.ParseInt(digits, 10, 40)
	if err != nil {
		return 0
	}
	switch strings.ToUpper(s[len(digits):] + " ")[0] {
	case 'K':
		n <<= 10
	case 'M':
		n <<= 20
	case 'G':
		n <<= 30
	case 'T', 'P':
		n <<= 40
	}
	return max(n, 0)
}

func allocate(a *assessor, r *shellparse.Run) {
	if huge(r) {
		a.hit("file.fill-disk")
	}
}

func makeFilesystem(a *assessor, r *shellparse.Run) {
	if hasOption(r, []string{"-V", "--help", "--version", "-n"}) && r.Name != "mkfs.vfat" && r.Name != "mkfs.fat" {
		return
	}
	ops := operandsOf(r, "-t -L -b -m -N -i -I -E -O -F -n -U -d")
	if len(ops) == 0 && len(r.Args) > 0 {
		ops = r.Args[len(r.Args)-1:]
	}
	for _, w := range ops {
		switch {
		case placeOf(w, r.Dir) == placeDisk || strings.HasPrefix(w.Text, "/dev/") || w.Open || isWindowsRoot(w.Text):
			a.hit("disk.format")
		default:
			a.hit("disk.image")
		}
	}
}

func partitionTool(a *assessor, r *shellparse.Run) {
	if hasOption(r, []string{"-l", "--list", "-s", "--dump", "-d", "-x", "--version", "--help", "-V"}) &&
		r.Name != "parted" || r.Has("print") && r.Name == "parted" || r.Name == "parted" && hasOption(r, []string{"-l",
		"--list"}) {
		return
	}
	if len(r.Args) == 0 {
		return
	}
	if a.hits == 0 {
		a.pick(r.Stdin.Present(), "disk.partition", "disk.partition-tool")
	}
}

// writeImage judges tools that write an image to a disk.
func writeImage(a *assessor, r *shellparse.Run) {
	if r.Arg(0) == "create" && r.Name == "qemu-img" {
		for _, w := range operandsOf(r, "-f -o -b -F") {
			if holdsData(pathOf(w.Text, r.Dir)) && production(strings.ToLower(w.Text)) {
				a.hit("file.remove-data")
			}
		}
	}
	switch r.Arg(0) {
	case "info", "check", "map", "compare", "measure", "snapshot":
		return
	}
	disk := false
	for _, w := range operandsOf(r, "-f -F -s -b") {
		disk = placeOf(w, r.Dir) == placeDisk // the last one is the target
	}
	for i := range r.Args {
		if t := r.Args[i].Text; (t == "-o" || t == "--overwrite" || t == "-O" || t == "--device" || t == "-d") &&
			isDisk(r.Arg(i+1)) {
			disk = true
		}
	}
	if disk {
		a.hit("disk.overwrite")
	}
}
