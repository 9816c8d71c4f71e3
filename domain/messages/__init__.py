"""What members are told: messages, the texts they are made of, when they may be sent, and by what."""
