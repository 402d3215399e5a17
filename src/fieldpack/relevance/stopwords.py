"""English function words. In a question they say what kind of answer is wanted, not what it is about."""

STOPWORDS = frozenset(
    ["a", "an", "the", "of", "in", "on", "at", "to", "for", "from", "by", "with", "and", "or", "but", "is", "are", "was", "were", "be", "been", "being", "do", "does", "did", "what", "which", "who", "whom", "whose", "when", "where", "why", "how", "that", "this", "these", "those", "it", "its", "as", "into", "than", "then", "there", "their", "they", "he", "she", "his", "him", "her", "i", "you", "we", "our", "your", "my", "me", "us", "them", "not", "no", "can", "could", "would", "should", "will", "may", "might", "must", "has", "have", "had", "having", "about", "if", "so", "such", "s", "t", "d", "ll", "ve", "re", "m"]
)
