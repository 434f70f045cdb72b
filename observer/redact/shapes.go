package redact

// shape is a secret that its own form gives away wherever it stands: a fixed text (the anchor), what must stand before
// and behind it (in the language of compile), and how strict the neighbours are.
type shape struct {
	kind   string
	anchor string // as written; found without regard to case, then compared exactly
	tail   string // behind the anchor
	head   string // before the anchor
	mixed  bool   // the tail must hold a digit and a letter: the anchor alone says too little
	after  string // may stand directly before, where otherwise no letter may
	keep   bool   // the anchor names the place and is kept, only head and tail are replaced
}

// shapes states each format once. Lengths are the published ones where they are fixed, and minima where issuers
// announce growth.
var shapes = []shape{
	// Clouds.
	{kind: kindAWSAccessKey, anchor: "AKIA", tail: "u16"},
	{kind: kindAWSAccessKey, anchor: "ASIA", tail: "u16"},
	{kind: kindAWSAccessKey, anchor: "ABIA", tail: "u16"},
	{kind: kindAWSAccessKey, anchor: "ACCA", tail: "u16"},
	{kind: kindAWSAccessKey, anchor: "ABSK", tail: "b100+"},
	{kind: kindAWSAccessKey, anchor: "bedrock-api-key-", tail: "b40+"},
	{kind: kindAWSSecretKey, anchor: "IQoJb3JpZ2lu", tail: "b60+"},
	{kind: kindAWSSecretKey, anchor: "FwoGZXIvYXdz", tail: "b60+"},
	{kind: kindAWSSecretKey, anchor: "FQoGZXIvYXdz", tail: "b60+"},
	{kind: kindAWSSecretKey, anchor: "FQoDYXdz", tail: "b60+"},
	{kind: "gcp_key", anchor: "AIza", tail: "d35"},
	{kind: "gcp_key", anchor: "GOCSPX-", tail: "d20+"},
	{kind: "gcp_key", anchor: "ya29.", tail: "s30+"},
	{kind: "gcp_key", anchor: "1//0", tail: "d40+"},
	{kind: "azure_secret", anchor: "Q~", head: "s3n1", tail: "s31-36"},
	{kind: "azure_secret", anchor: "AzFu", head: "d44", tail: "d6\\=\\="}, // functions key
	{kind: "azure_secret", anchor: "+ASt", head: "b76", tail: "b8"},       // storage key
	{kind: "azure_secret", anchor: "AzSe", head: "a42", tail: "a6"},       // search key
	{kind: "azure_secret", anchor: "AzCa", head: "a33", tail: "a6\\="},    // cache key
	{kind: "azure_secret", anchor: "AZDO", head: "a76", tail: "a4"},       // DevOps token
	{kind: "azure_secret", anchor: "JQQJ99", head: "a52", tail: "a20-30"}, // key of an AI service
	{kind: "gcp_key", anchor: "AQ.Ab8", tail: "d40+"},                     // Gemini
	{kind: "gcp_key", anchor: ":APA91b", head: "d8-24", tail: "d100+"},    // Firebase messaging
	{kind: "digitalocean_token", anchor: "dop_v1_", tail: "a32+"},
	{kind: "digitalocean_token", anchor: "doo_v1_", tail: "a32+"},
	{kind: "digitalocean_token", anchor: "dor_v1_", tail: "a32+"},
	{kind: "heroku_key", anchor: "HRKU-", tail: "d30+"},
	{kind: "alibaba_key", anchor: "LTAI", tail: "a16-24", mixed: true},
	{kind: "service_token", anchor: "AKID", tail: "a32", mixed: true},    // Tencent Cloud
	{kind: "service_token", anchor: "AKLT", tail: "a40+", mixed: true},   // Volcengine
	{kind: "service_token", anchor: "bce-v3/ALTAK-", tail: "a16+\\/h40"}, // Baidu Cloud
	{kind: "service_token", anchor: "t1.", tail: "d40+\\.d80+"},          // Yandex Cloud
	{kind: "service_token", anchor: "y0_Ag", tail: "d40+"},               // Yandex
	{kind: "cloudflare_token", anchor: "v1.0-", tail: "h24\\-h100+"},
	{kind: "cloudflare_token", anchor: "cfut_", tail: "a30+"},
	{kind: "cloudflare_token", anchor: "cfat_", tail: "a30+"},

	{kind: "cloudflare_token", anchor: "eyJhIjoi", tail: "b60+"},  // tunnel
	{kind: kindAPIKey, anchor: "appid=", tail: "h32", keep: true}, // OpenWeather

	// Code hosts.
	{kind: "github_token", anchor: "ghp_", tail: "w20+"},
	{kind: "github_token", anchor: "gho_", tail: "w20+"},
	{kind: "github_token", anchor: "ghu_", tail: "w20+"},
	{kind: "github_token", anchor: "ghs_", tail: "s20+"},
	{kind: "github_token", anchor: "ghr_", tail: "w20+"},
	{kind: "github_token", anchor: "github_pat_", tail: "w22+"},
	{kind: "gitlab_token", anchor: "glpat-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "gldt-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glrt-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glrtr-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glcbt-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glptt-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glft-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glsoat-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glimt-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glagent-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "gloas-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "glffct-", tail: "s16+"},
	{kind: "gitlab_token", anchor: "GR1348941", tail: "d16+"},
	{kind: "atlassian_token", anchor: "ATATT3", tail: "s30+\\=x8"},
	{kind: "atlassian_token", anchor: "ATCTT3", tail: "s30+\\=x8"},
	{kind: "atlassian_token", anchor: "ATATT3", tail: "s30+"},
	{kind: "atlassian_token", anchor: "ATCTT3", tail: "s30+"},
	{kind: "atlassian_token", anchor: "ATBB", tail: "a24+", mixed: true},

	// Chat.
	{kind: "slack_token", anchor: "xoxb-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxp-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxa-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxr-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxs-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxo-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxc-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxd-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxe-", tail: "d20+"},
	{kind: "slack_token", anchor: "xoxe.xox", tail: "d20+"},
	{kind: "slack_token", anchor: "xapp-", tail: "d20+"},
	{kind: "slack_token", anchor: "xwfp-", tail: "d20+"},
	{kind: "webhook_url", anchor: "hooks.slack.com/services/", tail: "a8+\\/a8+\\/a16+", keep: true},
	{kind: "webhook_url", anchor: "hooks.slack.com/workflows/", tail: "a8+\\/a8+\\/a8+\\/a16+", keep: true},
	{kind: "webhook_url", anchor: "hooks.slack.com/triggers/", tail: "a8+\\/a8+\\/a16+", keep: true},
	{kind: "webhook_url", anchor: "discord.com/api/webhooks/", tail: "n15-22\\/d40+", keep: true},
	{kind: "webhook_url", anchor: "discordapp.com/api/webhooks/", tail: "n15-22\\/d40+", keep: true},
	{kind: "webhook_url", anchor: "webhook.office.com/webhookb2/", tail: "d36\\@d36\\/d10+\\/h32", keep: true},
	{kind: "telegram_token", anchor: ":AA", head: "n8-10", tail: "d32+", after: "bot"},
	// Discord. The middle part is a time, which since 2018 begins with one of these letters.
	{kind: "service_token", anchor: ".G", head: "d23-28", tail: "d5\\.d27+"},
	{kind: "service_token", anchor: ".H", head: "d23-28", tail: "d5\\.d27+"},
	{kind: "service_token", anchor: ".X", head: "d23-28", tail: "d5\\.d27+"},
	{kind: "service_token", anchor: ".Y", head: "d23-28", tail: "d5\\.d27+"},
	{kind: "service_token", anchor: ".Z", head: "d23-28", tail: "d5\\.d27+"},
	{kind: "service_token", anchor: "syt_", tail: "a4+\\_a20\\_a6"}, // Matrix

	// Payment.
	{kind: "stripe_key", anchor: "sk_live_", tail: "a16+"},
	{kind: "stripe_key", anchor: "sk_test_", tail: "a16+"},
	{kind: "stripe_key", anchor: "rk_live_", tail: "a16+"},
	{kind: "stripe_key", anchor: "rk_test_", tail: "a16+"},
	{kind: "stripe_key", anchor: "sk_org_", tail: "w16+"},
	{kind: "stripe_key", anchor: "whsec_", tail: "b24+"},
	{kind: "stripe_key", anchor: "sq0atp-", tail: "d22+"}, // Square
	{kind: "stripe_key", anchor: "sq0csp-", tail: "d40+"},
	{kind: "stripe_key", anchor: "EAAA", tail: "d60"},                                   // Square
	{kind: "stripe_key", anchor: "FLWSECK-", tail: "d32+"},                              // Flutterwave
	{kind: "stripe_key", anchor: "access-production-", tail: "h8\\-h4\\-h4\\-h4\\-h12"}, // Plaid
	{kind: "stripe_key", anchor: "access-development-", tail: "h8\\-h4\\-h4\\-h4\\-h12"},
	{kind: "stripe_key", anchor: "access-sandbox-", tail: "h8\\-h4\\-h4\\-h4\\-h12"},
	{kind: "stripe_key", anchor: "pdl_live_apikey_", tail: "w20+"}, // Paddle
	{kind: "stripe_key", anchor: "polar_oat_", tail: "a30+"},
	{kind: "stripe_key", anchor: "sk_prod_", tail: "a20+", mixed: true},
	{kind: "stripe_key", anchor: "live_", tail: "a30-40", mixed: true},          // Mollie, Lob
	{kind: "stripe_key", anchor: "access_token$production$", tail: "l16\\$h32"}, // Braintree
	{kind: "stripe_key", anchor: "rzp_live_", tail: "a14+"},                     // Razorpay
	{kind: "shopify_token", anchor: "shpat_", tail: "x32"},
	{kind: "shopify_token", anchor: "shpss_", tail: "x32"},
	{kind: "shopify_token", anchor: "shpca_", tail: "x32"},
	{kind: "shopify_token", anchor: "shppa_", tail: "x32"},

	// Package registries.
	{kind: "npm_token", anchor: "npm_", tail: "a36+"},
	{kind: "pypi_token", anchor: "pypi-AgE", tail: "d40+"},
	{kind: "registry_token", anchor: "rubygems_", tail: "h40+"},
	{kind: "registry_token", anchor: "cio", tail: "a32", mixed: true}, // crates.io
	{kind: "registry_token", anchor: "oy2", tail: "l43"},              // NuGet
	{kind: "registry_token", anchor: "CLOJARS_", tail: "l60+"},
	{kind: "registry_token", anchor: "packagist_", tail: "w30+"},
	{kind: "registry_token", anchor: "AKCp", tail: "a60+"},                                    // Artifactory
	{kind: "registry_token", anchor: "/t/", tail: "a2\\-h8\\-h4\\-h4\\-h4\\-h12", keep: true}, // Anaconda
	{kind: "registry_token", anchor: "cmVmdGtuOjAx", tail: "b40+"},                            // Artifactory reference token
	{kind: "docker_token", anchor: "dckr_pat_", tail: "d20+"},
	{kind: "docker_token", anchor: "dckr_oat_", tail: "d20+"},

	// Language models.
	{kind: "anthropic_key", anchor: "sk-ant-", tail: "d24+"},
	{kind: "openai_key", anchor: "sk-proj-", tail: "d24+"},
	{kind: "openai_key", anchor: "sk-svcacct-", tail: "d24+"},
	{kind: "openai_key", anchor: "sk-admin-", tail: "d24+"},
	{kind: "openai_key", anchor: "sk-None-", tail: "d24+"},
	{kind: "openai_key", anchor: "sk-", tail: "a40+"},
	{kind: "openai_key", anchor: "sk-", tail: "a20+", mixed: true},
	{kind: "ai_key", anchor: "sk-or-v1-", tail: "h32+"},
	{kind: "ai_key", anchor: "sk-lf-", tail: "h8\\-h4\\-h4\\-h4\\-h12"},
	{kind: "ai_key", anchor: "gsk_", tail: "a40+"},
	{kind: "ai_key", anchor: "xai-", tail: "a60+"},
	{kind: "ai_key", anchor: "r8_", tail: "a37+"},
	{kind: "ai_key", anchor: "pplx-", tail: "a32+"},
	{kind: "ai_key", anchor: "nvapi-", tail: "d40+"},
	{kind: "ai_key", anchor: "pcsk_", tail: "w30+"},
	{kind: "ai_key", anchor: "lsv2_pt_", tail: "h32w0+"},
	{kind: "ai_key", anchor: "lsv2_sk_", tail: "h32w0+"},
	{kind: "ai_key", anchor: "tgp_v1_", tail: "d30+"},
	{kind: "ai_key", anchor: "tvly-", tail: "d20+", mixed: true},
	{kind: "ai_key", anchor: "sk_", tail: "h48"},                        // ElevenLabs
	{kind: "ai_key", anchor: "csk-", tail: "a40+"},                      // Cerebras
	{kind: "ai_key", anchor: "fw_", tail: "a22-24", mixed: true},        // Fireworks
	{kind: "ai_key", anchor: "fc-", tail: "h32"},                        // Firecrawl
	{kind: "ai_key", anchor: "jina_", tail: "h32a20+"},                  // Jina
	{kind: "ai_key", anchor: "e2b_", tail: "h40"},                       // E2B
	{kind: "ai_key", anchor: "sk-helicone-", tail: "d20+", mixed: true}, // Helicone
	{kind: "huggingface_token", anchor: "hf_", tail: "a30+"},
	{kind: "huggingface_token", anchor: "api_org_", tail: "a30+"},

	// Mail and telephone.
	{kind: "sendgrid_key", anchor: "SG.", tail: "d16-32\\.d30+"},
	{kind: "twilio_key", anchor: "SK", tail: "h32"},
	{kind: "mail_key", anchor: "key-", tail: "h32", mixed: true},
	{kind: "mail_key", anchor: "-us", head: "h32", tail: "n1-2"},
	{kind: "mail_key", anchor: "xkeysib-", tail: "h60+d0+"},
	{kind: "mail_key", anchor: "xsmtpsib-", tail: "h60+d0+"},
	{kind: "mail_key", anchor: "mlsn.", tail: "h60+"}, // MailerSend
	{kind: "mail_key", anchor: "re_", tail: "a8-12\\_a20-26", mixed: true},

	// Infrastructure.
	{kind: "vault_token", anchor: "hvs.", tail: "d20+"},
	{kind: "vault_token", anchor: "hvb.", tail: "d20+"},
	{kind: "vault_token", anchor: "hvr.", tail: "d20+"},
	{kind: "vault_token", anchor: "s.", tail: "a24", mixed: true},
	{kind: "terraform_token", anchor: ".atlasv1.", head: "a14", tail: "s40+"},
	{kind: "databricks_token", anchor: "dapi", tail: "h32"},
	{kind: "databricks_token", anchor: "dapi", tail: "h32\\-n1"},
	{kind: "databricks_token", anchor: "dose", tail: "h32"},
	{kind: "pulumi_token", anchor: "pul-", tail: "h40"},
	{kind: "grafana_token", anchor: "glsa_", tail: "a32\\_x8"},
	{kind: "grafana_token", anchor: "glc_", tail: "b32+"},
	{kind: "grafana_token", anchor: "eyJrIjoi", tail: "b50+"},
	{kind: "service_token", anchor: "dp.pt.", tail: "a40+"}, // Doppler
	{kind: "service_token", anchor: "dp.st.", tail: "s30+"},
	{kind: "service_token", anchor: "dp.ct.", tail: "a40+"},
	{kind: "service_token", anchor: "ops_eyJ", tail: "b60+"}, // 1Password
	{kind: "service_token", anchor: "A3-", tail: "u6\\-u11\\-u5\\-u5\\-u5"},
	{kind: "service_token", anchor: "A3-", tail: "u6\\-u6\\-u5\\-u5\\-u5\\-u5"},
	{kind: "service_token", anchor: "tskey-", tail: "a3+\\-a6+d0+"}, // Tailscale
	{kind: "service_token", anchor: "NRAK-", tail: "u27"},           // New Relic
	{kind: "service_token", anchor: "NRII-", tail: "d32"},
	{kind: "service_token", anchor: "NRA", head: "l36", tail: "\\L"},
	{kind: "service_token", anchor: "sntrys_", tail: "b60+\\_b40+"},
	{kind: "service_token", anchor: "sntrys_", tail: "b60+"}, // Sentry
	{kind: "service_token", anchor: "sntryu_", tail: "h60+"},
	{kind: "service_token", anchor: "sntrya_", tail: "h60+"},
	{kind: "service_token", anchor: "PMAK-", tail: "h24\\-h34"}, // Postman
	{kind: "service_token", anchor: "lin_api_", tail: "a30+"},   // Linear
	{kind: "service_token", anchor: "lin_oauth_", tail: "a30+"},
	{kind: "service_token", anchor: "ntn_", tail: "a40+"}, // Notion
	{kind: "service_token", anchor: "secret_", tail: "a43", mixed: true},
	{kind: "service_token", anchor: "figd_", tail: "d30+"},
	{kind: "service_token", anchor: "pscale_tkn_", tail: "s30+"}, // PlanetScale
	{kind: "service_token", anchor: "pscale_pw_", tail: "s30+"},
	{kind: "service_token", anchor: "pscale_oauth_", tail: "s30+"},
	{kind: "service_token", anchor: "sbp_", tail: "h40"}, // Supabase
	{kind: "service_token", anchor: "sb_secret_", tail: "d20+"},
	{kind: "service_token", anchor: "nfp_", tail: "a36+"},              // Netlify
	{kind: "service_token", anchor: "rnd_", tail: "a28+", mixed: true}, // Render
	{kind: "service_token", anchor: "fm2_", tail: "b60+"},              // Fly.io
	{kind: "service_token", anchor: "fo1_", tail: "d40+"},              // Fly.io
	{kind: "service_token", anchor: "bkua_", tail: "h40"},              // Buildkite
	{kind: "service_token", anchor: "CCIPAT_", tail: "a20+\\_h40"},     // CircleCI
	{kind: "service_token", anchor: "squ_", tail: "h40"},               // SonarQube
	{kind: "service_token", anchor: "sqp_", tail: "h40"},               // SonarQube
	{kind: "service_token", anchor: "sqa_", tail: "h40"},               // SonarQube
	{kind: "service_token", anchor: "sgp_", tail: "w40+"},              // Sourcegraph
	{kind: "service_token", anchor: "CFPAT-", tail: "d43"},             // Contentful
	{kind: "service_token", anchor: "pnu_", tail: "a36"},               // Prefect
	{kind: "service_token", anchor: "dt0c01.", tail: "u24\\.u64"},      // Dynatrace
	{kind: "service_token", anchor: "dt0s01.", tail: "u24\\.u64"},      // Dynatrace
	{kind: "service_token", anchor: "EZAK", tail: "a54"},               // EasyPost
	{kind: "service_token", anchor: "sl.", tail: "d100+"},              // Dropbox
	{kind: "service_token", anchor: "sl.u.", tail: "d100+"},            // Dropbox
	{kind: "service_token", anchor: "sk.eyJ", tail: "d40+\\.d20+"},     // Mapbox
	{kind: "service_token", anchor: "phx_", tail: "a40+"},              // PostHog
	{kind: "service_token", anchor: "duffel_live_", tail: "d40+"},
	{kind: "service_token", anchor: "pat", tail: "a14\\.h64"},            // Airtable
	{kind: "service_token", anchor: "EAA", tail: "a100+", mixed: true},   // Facebook
	{kind: "service_token", anchor: "amzn.mws.", tail: "h8\\-d27"},       // Amazon marketplace
	{kind: "service_token", anchor: "AQVN", tail: "d35-38", mixed: true}, // Yandex
	{kind: "service_token", anchor: "vcp_", tail: "a40+"},                // Vercel
	{kind: "service_token", anchor: "cursor_", tail: "h60+"},
	{kind: "service_token", anchor: "aio_", tail: "a28", mixed: true},            // Adafruit
	{kind: "service_token", anchor: "tfp_", tail: "s44+"},                        // Typeform
	{kind: "service_token", anchor: "ico-", tail: "a32", mixed: true},            // Infracost
	{kind: "service_token", anchor: "rdme_", tail: "l70"},                        // ReadMe
	{kind: "service_token", anchor: "API-", tail: "u26-32", mixed: true},         // Octopus Deploy
	{kind: "service_token", anchor: "pat-na1-", tail: "x8\\-x4\\-x4\\-x4\\-x12"}, // HubSpot
	{kind: "service_token", anchor: "pat-eu1-", tail: "x8\\-x4\\-x4\\-x4\\-x12"}, // HubSpot
	{kind: "service_token", anchor: "nyk_v0_", tail: "a40+"},                     // Nylas
	{kind: "service_token", anchor: "napi_", tail: "l40+", mixed: true},          // Neon
	{kind: "service_token", anchor: "xau_", tail: "a36+"},                        // Xata
	{kind: "service_token", anchor: "waka_", tail: "h8\\-h4\\-h4\\-h4\\-h12"},    // WakaTime
	{kind: "service_token", anchor: "pk_", tail: "n6-10\\_u32"},                  // ClickUp
	{kind: "service_token", anchor: "essu_", tail: "b60+"},                       // Elastic Cloud
	{kind: "service_token", anchor: "mdb_sa_sk_", tail: "d30+"},                  // MongoDB Atlas
	{kind: "service_token", anchor: "ory_pat_", tail: "d32+"},                    // Ory
	{kind: "service_token", anchor: "ory_st_", tail: "d32+"},                     // Ory
	{kind: "service_token", anchor: "ory_at_", tail: "d32+"},                     // Ory
	{kind: "service_token", anchor: "tk-us-", tail: "d48"},                       // Scalingo
	{kind: "service_token", anchor: "dG9rOi", tail: "b40+"},                      // Intercom
	{kind: "service_token", anchor: "hcaik_", tail: "a50+"},                      // Honeycomb
	{kind: "service_token", anchor: "secret-", tail: "a43", mixed: true},         // Statsig
	{kind: "service_token", anchor: "snyk_uat.", tail: "s30+"},                   // Snyk
	{kind: "service_token", anchor: "snyk_sat.", tail: "s30+"},                   // Snyk
	{kind: "service_token", anchor: "phs_", tail: "a40+"},                        // PostHog
	{kind: "service_token", anchor: "ddp_", tail: "a36", mixed: true},            // Deno Deploy
	{kind: "service_token", anchor: "SWMTKN-1-", tail: "l40+\\-l20+"},            // Docker Swarm
	{kind: "service_token", anchor: "K10", tail: "h64\\:\\:s8+"},                 // k3s
	{kind: "service_token", anchor: "hooks.zapier.com/hooks/catch/", tail: "n4+\\/a5+", keep: true},

	// Keys.
	{kind: "age_key", anchor: "AGE-SECRET-KEY-1", tail: "u40+"},
	{kind: "age_key", anchor: "AGE-SECRET-KEY-PQ-1", tail: "u40+"},
	{kind: "age_key", anchor: "AGE-PLUGIN-", tail: "u2+\\-u20+"},
	{kind: kindPrivateKey, anchor: "RWRTY0Iy", tail: "b150+"}, // minisign
	{kind: "jwt", anchor: "eyJ", tail: "d10+\\.\\e\\yd4+\\.d0+"},
	{kind: "jwt", anchor: "eyJ", tail: "d10+\\.d0+\\.d10+\\.d10+\\.d10+"}, // encrypted (JWE)
}
