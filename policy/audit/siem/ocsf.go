package siem

import (
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/policy"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// ocsfVersion is the version of the schema whose classes are used.
const ocsfVersion = "1.3.0"

// class is an event class of the schema.
type class struct {
	uid      int
	name     string
	category string // its number is the thousands of uid
}

var (
	detectionFinding = class{2004, "Detection Finding", "Findings"}
	accountChange    = class{3001, "Account Change", "Identity & Access Management"}
	authentication   = class{3002, "Authentication", "Identity & Access Management"}
	entityManagement = class{3004, "Entity Management", "Identity & Access Management"}
	userAccess       = class{3005, "User Access Management", "Identity & Access Management"}
	apiActivity      = class{6003, "API Activity", "Application Activity"}
)

// activity is what happened, in the terms of its class. 99 is for what the class has no number for.
type activity struct {
	class
	id   int
	name string
}

// activities are those of each event type; trust_changed depends on what was changed (see [activityOf]).
var activities = map[protocol.AuditEventType]activity{
	protocol.AuditIdentityCreated:  {accountChange, 1, "Create"},
	protocol.AuditKeyRotated:       {accountChange, 99, "Key Rotation"},
	protocol.AuditPeerConnected:    {authentication, 1, "Logon"},
	protocol.AuditPeerDisconnected: {authentication, 2, "Logoff"},
	protocol.AuditTrustChanged:     {userAccess, 1, "Assign Privileges"},
	protocol.AuditQueryReceived:    {apiActivity, 2, "Read"},
	protocol.AuditResponseSent:     {apiActivity, 2, "Read"},
	protocol.AuditSummaryGenerated: {apiActivity, 1, "Create"},
	protocol.AuditSummaryShared:    {apiActivity, 99, "Share"},
	protocol.AuditPolicyViolation:  {detectionFinding, 1, "Create"},
}

func activityOf(r audit.Record) activity {
	if _, id, name := entityOf(r); id > 0 {
		return activity{entityManagement, id, name}
	}
	if a, ok := activities[r.Type]; ok && !revoked(r) {
		return a
	}
	if revoked(r) {
		return activity{userAccess, 2, "Revoke Privileges"}
	}
	return activity{apiActivity, 99, string(r.Type)} // a type of a later version
}

// revoked tells of a change of trust that takes something away.
func revoked(r audit.Record) bool {
	return r.Type == protocol.AuditTrustChanged && (r.Details["change"] == "deny" || r.Details["change"] == "clear")
}

// entityOf returns what was changed, and the activity, where a change of trust is not about one node's privileges: the
// policy as a whole, the bundle of an organisation, or whose audit log is witnessed. The activity is 0 for all else.
func entityOf(r audit.Record) (e ocsfEntity, id int, activity string) {
	if r.Type != protocol.AuditTrustChanged {
		return e, 0, ""
	}
	d := r.Details
	switch d["change"] {
	case "policy_reloaded":
		name := d["source"]
		if name == "" {
			name = "defaults"
		}
		return ocsfEntity{Name: name, Type: "Policy"}, 3, "Update"
	case "bundle_imported":
		return ocsfEntity{UID: d["fingerprint"], Name: d["name"], Version: d["version"], Type: "Policy"}, 1, "Create"
	case "bundle_forgotten":
		return ocsfEntity{Name: "bundle", Type: "Policy"}, 4, "Delete"
	case "audit_log_accepted":
		return ocsfEntity{UID: string(r.Peer), Name: "audit log of " + nameOf(r.Peer), Type: "Audit Log"}, 3, "Update"
	}
	return e, 0, ""
}

// The parts of an event that are used, by their names in the schema.
type (
	ocsfEvent struct {
		ActivityID   int    `json:"activity_id"`
		ActivityName string `json:"activity_name"`
		CategoryUID  int    `json:"category_uid"`
		CategoryName string `json:"category_name"`
		ClassUID     int    `json:"class_uid"`
		ClassName    string `json:"class_name"`
		TypeUID      int    `json:"type_uid"`
		TypeName     string `json:"type_name"`
		SeverityID   int    `json:"severity_id"`
		Severity     string `json:"severity"`
		StatusID     int    `json:"status_id"`
		Status       string `json:"status"`
		StatusDetail string `json:"status_detail,omitempty"`
		Time         int64  `json:"time"` // ms since 1970
		Message      string `json:"message"`

		Metadata    ocsfMetadata  `json:"metadata"`
		Actor       *ocsfActor    `json:"actor,omitempty"`
		API         *ocsfAPI      `json:"api,omitempty"`
		Entity      *ocsfEntity   `json:"entity,omitempty"`
		User        *ocsfUser     `json:"user,omitempty"`
		Privileges  []string      `json:"privileges,omitempty"`
		SrcEndpoint *ocsfEndpoint `json:"src_endpoint,omitempty"`
		DstEndpoint *ocsfEndpoint `json:"dst_endpoint,omitempty"`
		FindingInfo *ocsfFinding  `json:"finding_info,omitempty"`

		AuthProtocolID int    `json:"auth_protocol_id,omitempty"`
		AuthProtocol   string `json:"auth_protocol,omitempty"`
		LogonTypeID    int    `json:"logon_type_id,omitempty"`
		LogonType      string `json:"logon_type,omitempty"`
		IsRemote       bool   `json:"is_remote,omitempty"`

		Unmapped ocsfUnmapped `json:"unmapped"`
	}
	ocsfMetadata struct {
		Version      string      `json:"version"`
		Product      ocsfProduct `json:"product"`
		UID          string      `json:"uid"`
		Sequence     uint64      `json:"sequence"`
		EventCode    string      `json:"event_code"`
		LogName      string      `json:"log_name"`
		LogProvider  string      `json:"log_provider"`
		OriginalTime string      `json:"original_time"`
	}
	ocsfProduct struct {
		Name    string `json:"name"`
		Vendor  string `json:"vendor_name"`
		Version string `json:"version,omitempty"`
	}
	ocsfActor struct {
		User    ocsfUser `json:"user"`
		AppName string   `json:"app_name"`
	}
	ocsfUser struct {
		UID    string `json:"uid,omitempty"`
		Name   string `json:"name"`
		TypeID int    `json:"type_id"`
		Type   string `json:"type"`
	}
	ocsfEntity struct {
		UID     string `json:"uid,omitempty"`
		Name    string `json:"name"`
		Type    string `json:"type"`
		Version string `json:"version,omitempty"`
	}
	ocsfEndpoint struct {
		UID  string `json:"uid,omitempty"`
		Name string `json:"name"`
		IP   string `json:"ip,omitempty"`
	}
	ocsfAPI struct {
		Operation string       `json:"operation"`
		Service   ocsfService  `json:"service"`
		Request   *ocsfRequest `json:"request,omitempty"`
	}
	ocsfService struct {
		Name string `json:"name"`
	}
	ocsfRequest struct {
		UID string `json:"uid"`
	}
	ocsfFinding struct {
		UID         string   `json:"uid"`
		Title       string   `json:"title"`
		Desc        string   `json:"desc,omitempty"`
		Types       []string `json:"types"`
		CreatedTime int64    `json:"created_time"`
	}
	// ocsfUnmapped holds what the schema has no place for: the rule, and what links the record to the chain.
	ocsfUnmapped struct {
		EventType string            `json:"event_type"`
		Details   map[string]string `json:"details"`
		PrevHash  string            `json:"prev_hash"`
		Hash      string            `json:"hash"`
	}
)

// ocsf returns a record as an event of the schema.
func (o Origin) ocsf(r audit.Record) *ocsfEvent {
	a := activityOf(r)
	at := int64(r.Timestamp) / int64(time.Millisecond)
	e := &ocsfEvent{ActivityID: a.id, ActivityName: a.name, CategoryUID: a.uid / 1000, CategoryName: a.category, ClassUID: a.uid, ClassName: a.class.name,
		TypeUID: 100*a.uid + a.id, TypeName: a.class.name + ": " + a.name, StatusID: 1, Status: "Success", SeverityID: 1, Severity: "Informational",
		StatusDetail: r.Details["reason"], Time: at, Message: sentence(r),
		Metadata: ocsfMetadata{Version: ocsfVersion, Product: ocsfProduct{"caro-node", "caro-mesh", o.Version}, UID: r.ID, Sequence: r.Sequence,
			EventCode: string(r.Type), LogName: "audit", LogProvider: "caro-node", OriginalTime: r.Timestamp.String()},
		Unmapped: ocsfUnmapped{string(r.Type), r.Details, r.PrevHash.String(), r.Hash.String()}}
	if !r.Success {
		e.StatusID, e.Status, e.SeverityID, e.Severity = 2, "Failure", 2, "Low"
	}
	switch a.class {
	case detectionFinding:
		o.finding(e, r, at)
	case authentication:
		user := userOf(r.Peer)
		e.User, e.SrcEndpoint, e.DstEndpoint = &user, endpointOf(r.Peer, r.Details["addr"]), endpointOf(o.Node, "")
		e.AuthProtocolID, e.AuthProtocol, e.LogonTypeID, e.LogonType, e.IsRemote = 99, "TLS 1.3 with Ed25519 keys", 3, "Network", true
	case entityManagement:
		entity, _, _ := entityOf(r)
		e.Entity, e.Actor = &entity, actorOf(o.Node)
	case accountChange, userAccess:
		user := userOf(r.Peer)
		e.User, e.Actor = &user, actorOf(o.Node)
		if a.class == userAccess {
			e.Privileges = []string{privilege(r)}
		}
	case apiActivity:
		o.call(e, r)
	}
	return e
}

// finding describes a violation of the policy or of the protocol.
func (o Origin) finding(e *ocsfEvent, r audit.Record, at int64) {
	e.StatusID, e.Status, e.SeverityID, e.Severity = 1, "New", 3, "Medium" // of a finding, not of what was found
	e.FindingInfo = &ocsfFinding{UID: r.ID, Title: e.Message, Desc: r.Details["reason"], Types: []string{string(r.Type)}, CreatedTime: at}
	if r.Peer != "" {
		e.SrcEndpoint, e.Actor = endpointOf(r.Peer, r.Details["addr"]), actorOf(r.Peer)
	}
	e.DstEndpoint = endpointOf(o.Node, "")
}

// call describes what one node got from another, or made for others.
func (o Origin) call(e *ocsfEvent, r audit.Record) {
	from, to := o.Node, r.Peer
	operation := "summary.generate"
	switch {
	case r.Type == protocol.AuditQueryReceived:
		operation, from, to = "query", r.Peer, o.Node
	case r.Type == protocol.AuditResponseSent:
		operation, from, to = "query.response", r.Peer, o.Node
	case r.Type == protocol.AuditSummaryShared && r.Details["step"] == "received":
		operation, from, to = "summary.receive", r.Peer, o.Node
	case r.Type == protocol.AuditSummaryShared:
		operation = "summary.share"
		if r.Details["action"] == string(policy.ActionWitness) {
			operation = "checkpoint.share"
		}
	case r.Type != protocol.AuditSummaryGenerated:
		operation = string(r.Type)
	}
	addr := ""
	if from == r.Peer {
		addr = r.Details["addr"]
	}
	e.Actor, e.SrcEndpoint = actorOf(from), endpointOf(from, addr)
	if to != "" {
		e.DstEndpoint = endpointOf(to, "")
	}
	e.API = &ocsfAPI{Operation: operation, Service: ocsfService{"caro-node"}}
	if id := r.Details["query_id"]; id != "" {
		e.API.Request = &ocsfRequest{UID: id}
	}
}

// privilege names what was given or taken.
func privilege(r audit.Record) string {
	switch trust := r.Details["trust"]; {
	case r.Details["change"] == "deny":
		return "all"
	case r.Details["change"] == "clear":
		return "granted at run time"
	case trust != "":
		return trust
	}
	return "unknown"
}

func userOf(id protocol.NodeID) ocsfUser {
	return ocsfUser{UID: string(id), Name: nameOf(id), TypeID: 99, Type: "caro node"}
}

func actorOf(id protocol.NodeID) *ocsfActor {
	return &ocsfActor{User: userOf(id), AppName: "caro-node"}
}

func endpointOf(id protocol.NodeID, ip string) *ocsfEndpoint {
	return &ocsfEndpoint{UID: string(id), Name: nameOf(id), IP: strings.TrimSpace(ip)}
}

// nameOf is the fingerprint of a node, which is what people see of it.
func nameOf(id protocol.NodeID) string {
	if f := id.Fingerprint(); f != "" {
		return string(f)
	}
	return "unknown"
}
