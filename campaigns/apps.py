from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    verbose_name = "Campaigns"

    def ready(self) -> None:
        from campaigns import computed, erasing, merging, news, portrait, questions, retention, segments, tasks, topics
        from campaigns.admin import panels
        from events import nudges, signals, vocabulary, watching
        from events import retention as kept
        from events.audience import foreign, seeing
        from events.computed import usage as computed_usage
        from events.conditions import words
        from events.segments import usage
        from messaging import interactions
        from messaging import topics as messaging_topics
        from messaging import usage as template_usage

        nudges.register("pending", tasks.enroll)
        nudges.register("journeys", tasks.run_journeys)
        nudges.register("moves", tasks.change_versions)
        nudges.register("backtests", tasks.run_backtests)
        nudges.register("calls", tasks.make_calls)
        panels.register()
        usage.register(segments.uses)
        usage.register_asked(segments.asked)
        messaging_topics.register(topics.uses)
        template_usage.register(topics.template_uses)
        computed_usage.register(computed.uses)
        interactions.offer_campaigns(questions.names)
        foreign.register(questions.KIND, questions.ask)
        words.teach(questions.KIND.key, questions.say)
        questions.teach()
        seeing.teach(questions.KIND.key, questions.look)
        vocabulary.own_events(news.NAMES | {watching.CHANGED})
        for kind in retention.KINDS:
            kept.register(kind)
        signals.profiles_merged.connect(merging.follow_merge, dispatch_uid="campaigns.follow_merge")
        signals.profiles_erased.connect(erasing.follow_erasure, dispatch_uid="campaigns.follow_erasure")
        signals.profiles_weighed.connect(erasing.weigh, dispatch_uid="campaigns.weigh")
        signals.profiles_exported.connect(portrait.sections, dispatch_uid="campaigns.portrait")
