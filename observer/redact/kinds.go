package redact

// Kind is one kind of secret that can be replaced.
type Kind struct {
	Name    string // as it stands in the marker, [a-z0-9_]+
	Meaning string // one sentence for people
}

// Names that code, and not only the rule tables, refers to.
const (
	kindPassword      = "password"
	kindSecret        = "secret"
	kindToken         = "token"
	kindAPIKey        = "api_key"
	kindAuthorization = "authorization"
	kindCookie        = "cookie"
	kindSignature     = "signature"
	kindURLPassword   = "url_password"
	kindPrivateKey    = "private_key"
	kindAWSAccessKey  = "aws_access_key"
	kindAWSSecretKey  = "aws_secret_key"
)

var allKinds = []Kind{
	{"age_key", "A private key of the age encryption tool."},
	{"ai_key", "A key of a service for language models (Groq, xAI, Replicate, Perplexity, OpenRouter and others)."},
	{"alibaba_key", "An access key of Alibaba Cloud."},
	{"anthropic_key", "A key or login token of Anthropic."},
	{kindAPIKey, "A key behind a name such as api_key, access_key or encryption_key, in an option, a header, a variable or a text."},
	{"atlassian_token", "A token of Atlassian or Bitbucket."},
	{kindAuthorization, "The credential of an Authorization header, or of a login given to a web client."},
	{kindAWSAccessKey, "An access key ID of Amazon Web Services (AKIA…, ASIA…) or a Bedrock key."},
	{kindAWSSecretKey, "A secret access key or session token of Amazon Web Services."},
	{"azure_secret", "A client secret or storage key of Microsoft Azure."},
	{"cloudflare_token", "A key of Cloudflare."},
	{kindCookie, "The content of a Cookie header, or cookies given to a web client."},
	{"databricks_token", "A token of Databricks."},
	{"digitalocean_token", "A token of DigitalOcean."},
	{"docker_token", "A token of Docker Hub."},
	{"gcp_key", "An API key, OAuth token or client secret of Google."},
	{"github_token", "A token of GitHub."},
	{"gitlab_token", "A token of GitLab."},
	{"grafana_token", "A token of Grafana."},
	{"heroku_key", "A key of Heroku."},
	{"huggingface_token", "A token of Hugging Face."},
	{"jwt", "A JSON Web Token."},
	{"mail_key", "A key of a mail service (Mailgun, Mailchimp, Brevo, Resend)."},
	{"npm_token", "A token of the npm registry."},
	{"openai_key", "A key of OpenAI, or of a service with the same key format."},
	{kindPassword, "A password or passphrase in an option, a variable, a text, or given to a program on its standard input."},
	{kindPrivateKey, "A private key in PEM, OpenSSH, PGP or PuTTY form."},
	{"pulumi_token", "A token of Pulumi."},
	{"pypi_token", "A token of the Python Package Index."},
	{"registry_token", "A token of a package registry (RubyGems, crates.io, NuGet, Clojars, Artifactory)."},
	{kindSecret, "A value behind a name such as secret or client_secret, or one that is given to a store of secrets."},
	{"sendgrid_key", "A key of SendGrid."},
	{"service_token", "A token of a service that is known by its prefix (Notion, Linear, Figma, New Relic, Sentry, Tailscale and others)."},
	{"shopify_token", "A token of Shopify."},
	{kindSignature, "The signature of a signed web address, which opens what the address leads to."},
	{"slack_token", "A token of Slack."},
	{"stripe_key", "A secret key of Stripe, or of a payment service with a similar key."},
	{"telegram_token", "The token of a Telegram bot."},
	{"terraform_token", "A token of Terraform Cloud or Enterprise."},
	{kindToken, "A value behind a name such as token, access_token or bearer, in an option, a header, a variable or a text."},
	{"twilio_key", "A key of Twilio."},
	{kindURLPassword, "A password or token in the user part of a web address."},
	{"vault_token", "A token of HashiCorp Vault."},
	{"webhook_url", "The secret part of a webhook address (Slack, Discord, Microsoft Teams)."},
}

// Kinds lists every kind of secret that [Redact] replaces, sorted by name.
func Kinds() []Kind { return append([]Kind(nil), allKinds...) }
