from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = "Messages"

    def ready(self) -> None:
        from events import nudges, panels, signals, vocabulary
        from events import retention as kept
        from events.audience import foreign, seeing
        from events.computed import usage
        from events.conditions import kinds, words
        from events.segments import usage as segment_usage
        from messaging import (
            consent,
            erasing,
            interactions,
            mentions,
            merging,
            portrait,
            questions,
            reported,
            retention,
            subscriptions,
            tasks,
            topics,
        )
        from messaging.admin import consents, profile_panel
        from messaging.admin import topics as topics_admin

        nudges.register("messages", tasks.deliver)
        nudges.register("domains", tasks.check_domains)
        kinds.add(interactions.KIND)
        interactions.teach()
        usage.register(mentions.of_trait)
        segment_usage.register_asked(topics.asked)
        for question in questions.ALL:
            foreign.register(question.kind, question.ask)
            words.teach(question.kind.key, question.say)
            seeing.teach(question.kind.key, question.look)
        vocabulary.own_events(interactions.own_events())
        vocabulary.own_events([*subscriptions.EVENTS.values(), *questions.GLOBAL_EVENTS])
        for kind in retention.KINDS:
            kept.register(kind)
        signals.profiles_merged.connect(merging.follow_merge, dispatch_uid="messaging.follow_merge")
        signals.profiles_erased.connect(erasing.follow_erasure, dispatch_uid="messaging.follow_erasure")
        signals.profiles_weighed.connect(erasing.weigh, dispatch_uid="messaging.weigh")
        signals.profiles_exported.connect(portrait.sections, dispatch_uid="messaging.portrait")
        signals.consent_said.connect(consent.heed, dispatch_uid="messaging.heed")
        signals.preferences_said.connect(consent.heed_topics, dispatch_uid="messaging.heed_topics")
        signals.delivery_reported.connect(reported.count, dispatch_uid="messaging.count")
        panels.register(panels.PROFILE, "Messages", profile_panel.messages_panel)
        panels.register(panels.PROFILE, "Consent", consents.panel)
        panels.register(panels.PROFILE, "Topics", topics_admin.topics_panel)
        panels.register(panels.BADGES, "Refusals", profile_panel.refusal_badges)
