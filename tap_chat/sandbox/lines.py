"""What customers and agents write in the made-up conversations: a topic per conversation.

The lines have what breaks careless programs: quotes, commas, tabs, line breaks, percent signs, and
letters of many alphabets.
"""

from __future__ import annotations

#: A topic is the lines of the customer and those of the agent, in their order.
TOPICS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        (
            "Hello, where is my order? It was due on Monday.",
            'The tracking page says "in transit" since Friday, and I won\'t be home tomorrow.',
            "Can you send it to my neighbour, Hauptstraße 5?",
            "Perfect, thank you! 🚚",
        ),
        (
            "Hi! I'm sorry about the delay. Let me look that up.",
            "The parcel left our warehouse on Friday, and the carrier has it now.",
            "I've changed the address. It arrives tomorrow between 9 and 12.",
            "You're welcome. I'm glad it worked out.",
        ),
    ),
    (
        (
            "The blue jacket is too small. How do I return it?",
            "I ordered size M, and I need size L.",
            "Is the return free? The page says 50 % or 100 %, which is it?",
            "Great, I'll bring it to the post office.",
        ),
        (
            "No problem, you can return it within 30 days.",
            "We have size L in stock. Shall I exchange it?",
            "It's free: the label is in your inbox.",
            "As soon as it is scanned, we send the new one.",
        ),
    ),
    (
        (
            "I was charged twice for the same order.",
            "The amounts are:\t42.00\t42.00",
            "It's the card that ends with 4242, I think.",
            "OK, I'll wait for the refund. Thanks!",
        ),
        (
            "That should not happen. Which amounts do you see?",
            "I see one payment, and one reservation that expires by itself.",
            "The reservation disappears within three working days.",
            "Please write to us if it does not.",
        ),
    ),
    (
        (
            "I can't log in, the password link has expired.",
            "No mail so far, also not in the spam folder.",
            'Now it works, but my name is shown as "O\\\'Neil"?',
            "All good now, thank you so much 🙏",
        ),
        (
            "I've sent you a new link. It's valid for one hour.",
            "Could you check the address? We have a typo in it.",
            "That was our mistake, I've corrected it.",
            "Happy to help. Is there anything else?",
        ),
    ),
    (
        (
            "Bonjour, où est ma commande ? Elle n'est pas arrivée.",
            "Le numéro commence par « FR-2 », c'est tout ce que j'ai.",
            "D'accord, je vais réessayer demain.",
            "Merci beaucoup, très bon service !",
        ),
        (
            "Bonjour ! Avez-vous le numéro de suivi ?",
            "Elle est à l'agence de Besançon, prête à être retirée.",
            "Prenez une pièce d'identité avec vous, s'il vous plaît.",
            "Avec plaisir, à bientôt !",
        ),
    ),
    (
        (
            "注文した商品がまだ届きません。",
            "日本語で対応できますか。",
            "木曜日までにお願いします。",
            "ありがとうございました。",
        ),
        (
            "ご連絡ありがとうございます。確認いたします。",
            "はい、大丈夫です。注文番号を教えてください。",
            "水曜日に届く予定です。",
            "またいつでもご連絡ください。",
        ),
    ),
    (
        (
            "Hej! Could I get the invoice again, please?",
            "The company is:\nBjørn & Sønner\nStrandvejen 12\n2900 Hellerup",
            "Our accountant also needs the VAT number.",
            "Got it. Tak for hjælpen!",
        ),
        (
            "Of course. Shall I add the name of your company?",
            "Here it is, as a PDF, with the new address.",
            "It is at the bottom of the second page.",
            "Selv tak, and have a good weekend!",
        ),
    ),
    (
        (
            "The lamp arrived broken 😞 Glass everywhere.",
            "I've attached two pictures of the box and the lamp.",
            "A new one, please. Not the money.",
            "That was fast. You're the best! ⭐⭐⭐⭐⭐",
        ),
        (
            "Oh no, I'm so sorry! Could you send a picture?",
            "Thank you. Would you like a new one, or your money back?",
            "It's on its way, and you needn't return the broken one.",
            "Thanks for your patience!",
        ),
    ),
    (
        (
            'Does the code WELCOME10 still work? It says "expired".',
            "I have three items in my cart: a,b,c and a gift card.",
            "So 10 % of everything but the gift card?",
            "OK, ordered. Cheers!",
        ),
        (
            "It ended yesterday, but I can give you a new one.",
            "It's valid for everything except gift cards.",
            "Exactly, and shipping is free today.",
            "Enjoy, and see you soon!",
        ),
    ),
    (
        (
            "Please cancel my subscription at the end of the month.",
            "It's too expensive for what I use.",
            "Would I keep my data on the smaller plan?",
            "Then let's do that instead.",
        ),
        (
            "I can do that for you. May I ask why?",
            "There's a smaller plan for half of the price.",
            "Yes, everything stays as it is.",
            "Done: you are on the small plan from the 1st on.",
        ),
    ),
)


def line(seed: int, number: int, place: int, *, by_agent: bool) -> str:
    """Return the text of a message: always the same, and fast.

    Args:
        seed: The seed of the account.
        number: The number of the conversation, which decides its topic.
        place: The place of the message in the conversation.
        by_agent: Whether an agent writes it, or a customer.
    """
    lines = TOPICS[(number + seed) % len(TOPICS)][by_agent]
    return lines[place // 2 % len(lines)]
