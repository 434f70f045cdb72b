package risk

var deviceRules = []Rule{
	{
		ID: "device.erase", Level: high,
		Reason:     "It erases a chip, a telephone or a board, or burns settings into it that cannot be undone.",
		Suggestion: "Read its content out first, and check the address and the port.",
		when: []string{
			"avrdude =-e !-U", "avrdude ~fuse:w|lock:w|eeprom:w", "st-flash erase", "nrfjprog ~--erase|--recover|--rbp",
			"nrfutil ... erase|recover|reset", "JLinkExe|JLink ~erase|Erase|unlock", "dfu-util ~mass-erase|unprotect|:force",
			"stm32flash -k|-o|-e|-u|-j", "STM32_Programmer_CLI|STM32CubeProgrammer ~-e|--erase|RDP|--readunprotect|-ob",
			"openocd ~erase|write_protect|lock", "bossac -e|--erase|--security|--lock",
			"espefuse.py|espefuse ~burn|write_protect|set_flash_voltage", "esptool.py|esptool ... erase_region|erase-region",
			"espflash|idf.py erase-flash|erase_flash|efuse-*", "idf.py ... erase-flash|erase_flash",
			"picotool|pyocd|probe-rs|mspdebug|commander|teensy|sunxi-fel|rkdeveloptool|wlink|minichlink ... erase|masserase|ef|--mass-erase|mass-erase",
			"commander device lock|masserase|unlock", "pyocd erase", "probe-rs erase", "mpremote ~rm~-r|wipe",
			"recovery ~wipe", "wipe data|userdata|cache|all", "pm uninstall|clear|disable|disable-user|hide ~com.android.|com.google.android.|android",
			"am broadcast ~MASTER_CLEAR|FACTORY_RESET", "locksettings clear|set-disabled|verify", "bmgr wipe", "dpm wipe|remove-active-admin|set-device-owner",
			"adb ~disable-verity|sideload", "adb disable-verity|reboot-bootloader|restore|sideload", "sm format|partition|forget",
			"idevicerestore|cfgutil ~-e|--erase|erase|restore|-l", "cfgutil erase|restore|unpair", "irecovery -c|-r|-f",
			"hdparm ~--yes-i-know|--please-destroy|--security-|--make-bad|--write-sector|--fwdownload", "hdparm -N",
			"sg_unmap|sg_write_same|sg_wr_mode|sg_write_buffer ...", "nvme ~fw-commit|write-zeroes|write-uncor|reset|subsystem-reset|dsm|detach-ns|create-ns",
			"ipmitool ~raw", "ipmitool sel clear", "ipmitool mc|bmc reset", "ipmitool ... user set|disable|priv|password",
			"ipmitool lan set", "ipmitool hpm|fwum upgrade|download", "racadm ... reset|racresetcfg|fwupdate",
			"i2cset|eeprog|flash_eraseall|flash_unlock ...", "flashcp|nandwrite|mtd_debug ... !info", "amidelnx|afulnx|fptw64 ...",
			"fwupdmgr ~--force|--allow-older|--allow-reinstall", "ectool flasherase|flashwrite|reboot_ec", "cbmem|cbfstool remove",
			"vpd -d|-s", "crossystem ~dev_boot|block_devmode|=", "uuu ...", "mfgtool|odin ...",
			"ykman piv|oath|fido|openpgp|otp|hsmauth reset|delete", "ykman config ~--lock|reset", "fido2-token -R|-D", "pkcs11-tool -b|--delete-object|--init-token|--init-pin",
			"pkcs15-init|sc-hsm-tool|opensc-tool ~-E|--erase|--initialize|--init", "sc-hsm-tool --initialize", "solo|nitropy ... reset|wipe", "tpm2_evictcontrol|tpm2_nvundefine|tpm2_changeauth ...",
			"softhsm2-util ~--delete-token|--init-token", "systemd-cryptenroll ~--wipe-slot", "gpg-connect-agent ~reset|DELETE_KEY|terminate",
		},
	},
}
