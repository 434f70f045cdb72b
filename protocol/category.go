package protocol

import (
	"fmt"
	"slices"
	"strings"
)

// CommandCategory groups commands by what they work on: one of the nine named categories, or
// "other:<tool>" where <tool> is a public tool name ([IsPublicTool]), or plain "other".
type CommandCategory string

// The named categories, and [CategoryOther] for everything else.
const (
	CategoryGit        CommandCategory = "git"
	CategoryDocker     CommandCategory = "docker"
	CategoryKubernetes CommandCategory = "kubernetes"
	CategoryNPM        CommandCategory = "npm"
	CategoryCargo      CommandCategory = "cargo"
	CategoryFileOps    CommandCategory = "file_ops"
	CategoryNetwork    CommandCategory = "network"
	CategorySystem     CommandCategory = "system"
	CategoryEditor     CommandCategory = "editor"
	CategoryOther      CommandCategory = "other"
)

const otherPrefix = "other:"

// Categories lists the named categories and [CategoryOther], in the documented order.
func Categories() []CommandCategory {
	return []CommandCategory{CategoryGit, CategoryDocker, CategoryKubernetes, CategoryNPM, CategoryCargo,
		CategoryFileOps, CategoryNetwork, CategorySystem, CategoryEditor, CategoryOther}
}

// OtherCategory returns the category of a command that belongs to none of the named ones: "other:<tool>" when tool
// is a public name ([IsPublicTool]), and plain [CategoryOther] when it is not, because a private script's name is L0.
func OtherCategory(tool string) CommandCategory {
	if IsPublicTool(tool) {
		return CommandCategory(otherPrefix + tool)
	}
	return CategoryOther
}

// Validate accepts the named categories and "other:<tool>" with a public tool name. A received category with any
// other tool is refused, so that a private name cannot be passed on.
func (c CommandCategory) Validate() error {
	if slices.Contains(Categories(), c) {
		return nil
	}
	if tool, ok := strings.CutPrefix(string(c), otherPrefix); ok && IsPublicTool(tool) {
		return nil
	}
	return fmt.Errorf("unknown command category %q", string(c))
}
