"""A function that openai_answers.yaml misspells."""


def look(request: object) -> str:
    return "a blade"
