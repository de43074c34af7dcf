"""Product tokens of crawlers that AI companies run, as robots.txt names them. Data alone; the list of ai-robots-txt/ai.robots.txt is longer."""

TRAINING = frozenset(
    {
        "ai2bot",
        "amazonbot",
        "anthropic-ai",
        "applebot-extended",
        "bytespider",
        "ccbot",
        "claudebot",
        "cohere-ai",
        "deepseekbot",
        "diffbot",
        "facebookbot",
        "google-extended",
        "gptbot",
        "meta-externalagent",
        "omgili",
        "pangubot",
        "timpibot",
    }
)
"""They collect for training, or for whoever buys what they collected; in small letters."""

ANSWERING = frozenset(
    {
        "chatgpt-user",
        "claude-searchbot",
        "claude-user",
        "oai-searchbot",
        "perplexitybot",
        "youbot",
    }
)
"""They fetch for a search or for a user's question: to refuse them says nothing of training."""
