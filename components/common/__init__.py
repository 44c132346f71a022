"""The vocabulary that every stage and the serving engine share."""
