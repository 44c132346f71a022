"""Members that read: TF-IDF, BM25 and a BERT-class encoder."""
