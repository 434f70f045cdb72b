package risk

var windowsRules = []Rule{
	{
		ID: "windows.destroy", Level: critical,
		Reason:     "It deletes a Windows system, its snapshots, its registry or a whole drive.",
		Suggestion: "Do not run it; name the one file or key that is meant.",
		when: []string{
			"vssadmin delete shadows", "vssadmin resize shadowstorage", "wmic shadowcopy delete", "wbadmin delete catalog|systemstatebackup|backup",
			"bcdedit ~recoveryenabled|bootstatuspolicy ~no|ignoreallfailures|No", "bcdedit /delete", "diskshadow ...", "cipher ~/w:",
			"reg delete HKLM*|HKCR*|HKEY_LOCAL_MACHINE*|HKCU|HKEY_CURRENT_USER", "Remove-Item ~HKLM:|HKCR:", "rd|rmdir|del ~C:|c:|%SystemRoot%|%USERPROFILE%|%windir% =/s|/S",
			"del|erase ~C:|c: =/s|/S|/f", "Remove-Item|ri|rm|rd|del ~C:|c:|$env:SystemRoot|$env:USERPROFILE|$HOME =-Recurse|-r|-recurse|-Force|-rf",
			"robocopy ~/MIR|/mir|/PURGE ~empty|Empty", "format ~C:|D:|c:|d:|E:|/y|/Y|/q", "Format-Volume|Clear-Disk|Initialize-Disk ...", "Get-WmiObject|gwmi|Get-CimInstance Win32_ShadowCopy",
			"fsutil usn deletejournal", "takeown ~C:|c: =/r|/R", "icacls ~C:|c: ~Everyone|everyone|/reset|/deny", "sdelete|sdelete64 ...", "bootsect|bootrec ...",
			"manage-bde -off|-forcerecovery|-lock ...", "Disable-ComputerRestore|Remove-ComputerRestorePoint ...", "mbr2gpt /convert", "wsl --unregister", "mountvol ~/d",
		},
	},
	{
		ID: "windows.remote-code", Level: critical, attack: true,
		Reason:     "It makes a tool of Windows fetch and run a program from the network.",
		Suggestion: "Download it with a browser, check its signature, and run it then.",
		when: []string{
			"certutil ~-urlcache|/urlcache", "bitsadmin ~/transfer|/addfile", "mshta ~http|javascript:|vbscript:", "regsvr32 ~/i:http|scrobj.dll",
			"rundll32 ~javascript:|http|,Control_RunDLL", "msiexec ~http", "wmic process call create", "wmic ~/format:http", "cscript|wscript ~http",
			"installutil ~http", "msbuild ~http", "forfiles ~/c", "odbcconf ~regsvr", "hh ~http", "ieexec ~http", "winrs ~-r:", "psexec|PsExec|psexec64 ...",
			"iex|Invoke-Expression ~DownloadString|http|FromBase64String|iwr|irm|curl|wget", "Start-BitsTransfer ~http", "Add-Type ~DllImport",
			"powershell|pwsh ~DownloadString|DownloadFile|FromBase64String|Net.WebClient|-EncodedCommand|-enc|-Enc|-ec", "powershell|pwsh =-e|-en|-E|-EncodedCommand",
			"powershell|pwsh ~IEX|iex ~http|irm|iwr", "Invoke-Command ~-ComputerName ~iex", "Invoke-WmiMethod|Invoke-CimMethod ~Win32_Process",
		},
	},
	{
		ID: "windows.protection", Level: high,
		Reason:     "It turns a protection of Windows off, adds an administrator, or wipes its logs.",
		Suggestion: "Add the one exception that is needed, in the settings.",
		when: []string{
			"netsh advfirewall|firewall ~off|disable|reset|opmode", "Set-MpPreference|Add-MpPreference ~-Disable|Exclusion", "Set-NetFirewallProfile ~False|false",
			"net user ~/add|/delete|/active", "net localgroup|group ~/add|/delete", "New-LocalUser|Add-LocalGroupMember|Remove-LocalUser|Disable-LocalUser ...",
			"net share|use ~/grant:everyone|/delete", "net stop|start ~WinDefend|mpssvc|EventLog|wuauserv|vss|BITS", "sc stop|delete|config ~WinDefend|disabled|EventLog",
			"Stop-Service|Set-Service ~WinDefend|Disabled|EventLog|wuauserv", "Uninstall-WindowsFeature ~Defender", "wevtutil cl|clear-log|sl", "Clear-EventLog|Remove-EventLog|Limit-EventLog ...",
			"reg add ~CurrentVersion\\Run|DisableAntiSpyware|EnableLUA|\\Winlogon|Image~File|DisableRealtimeMonitoring|fDenyTSConnections|UserInitMprLogonScript|SilentProcessExit",
			"reg save|export ~SAM|SYSTEM|SECURITY|sam|system|security", "schtasks /create|/Create|/delete|/Delete ~/ru|/tr|*", "schtasks ~/create|/Create|/delete|/Delete",
			"Set-ItemProperty|New-ItemProperty ~CurrentVersion\\Run|EnableLUA|DisableAntiSpyware", "Disable-WindowsOptionalFeature|Disable-NetAdapter|Disable-PnpDevice ...",
			"Set-ExecutionPolicy ~Bypass|Unrestricted", "auditpol ~/clear|/remove|disable", "bcdedit ~testsigning|nointegritychecks", "wmic ... ~/node:", "wmic product|useraccount ~uninstall|delete",
			"Register-ScheduledTask|New-Service|sc.exe|sc create ~temp|Temp|powershell|cmd", "Enable-PSRemoting|winrm ~quickconfig|-Force", "Unregister-ScheduledTask|Remove-ADUser|Remove-ADComputer|Remove-ADGroup ...",
			"shutdown ~/r|/s|/f|/p|-r", "Stop-Process ~-Name~*|lsass|csrss|winlogon", "taskkill ~lsass|csrss|winlogon|svchost|MsMpEng|explorer =/f|/F|/IM|/im",
			"Restart-Computer|Stop-Computer ...", "Clear-History|Set-PSReadlineOption ~SaveNothing|ConsoleHost_history", "Set-PSReadLineOption ~SaveNothing", "Remove-Item ~ConsoleHost_history",
			"ntdsutil ~ifm|ac~i~ntds", "dsrm|dsmod|Remove-ADObject|Remove-ADOrganizationalUnit ...", "vaultcmd|cmdkey /delete", "subst|attrib ~/d~+h",
			"takeown|icacls ~/grant ~Everyone|everyone|/T", "Remove-AppxPackage ~-AllUsers", "dism ~/Remove-|/Disable-Feature", "Remove-WmiObject|Remove-CimInstance ...", "Remove-VM|Stop-VM|Remove-VHD ...",
		},
	},
}
